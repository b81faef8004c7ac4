"""Entries into the ledger of a small repository; with real results in tests/workflow."""

import json

import pytest

from dlatlas.declare.lab import Lab
from dlatlas.errors import InputError
from dlatlas.publishing import publish as module
from dlatlas.publishing.ledger import read_entry, read_ledger, write_entry
from dlatlas.publishing.publish import enter


def entry(cube, commit, verdict="supported"):
    return {"cube": cube, "commit": commit, "verdict": {"verdict": verdict}, "processor": "abacus"}


def changed(tree):
    return tree.git("status", "--porcelain", "--untracked-files=all", "--no-renames").splitlines()


def test_two_branches_that_publish_different_studies_merge(tree):
    first = tree.git("rev-parse", "HEAD")
    enter(tree.path, {"edge": entry("e1", first), "tide": entry("t1", first)}, complete=True)
    base = tree.commit("Publish results")
    for branch, study in (("one", "edge"), ("two", "tide"), ("three", "wave")):
        tree.git("checkout", "--quiet", "-b", branch, base)
        enter(tree.path, {study: entry(f"{study} of {branch}", base)}, complete=False)
        tree.commit(f"Publish {study}")
    tree.git("checkout", "--quiet", "main")
    for branch in ("one", "two", "three"):
        tree.git("merge", "--quiet", "--no-ff", "--message", "Merge", branch)
    assert changed(tree) == []
    assert {study: held["cube"] for study, held in read_ledger(tree.path).items()} == {
        "edge": "edge of one", "tide": "tide of two", "wave": "wave of three",
    }  # fmt: skip


def test_an_entry_that_says_what_is_known_stays_with_its_older_commit(tree):
    first = tree.git("rev-parse", "HEAD")
    enter(tree.path, {"edge": entry("e1", first)}, complete=True)
    second = tree.commit()
    assert enter(tree.path, {"edge": entry("e1", second)}, complete=True) == [f"edge: unchanged since {first[:12]}"]
    assert changed(tree) == []
    assert enter(tree.path, {"edge": entry("e2", second)}, complete=True) == ["edge: supported, cube e2"]
    assert changed(tree) == ["M results/ledger/edge.json"]


def test_only_a_complete_publish_takes_away_what_is_no_study_any_more(tree):
    now = tree.git("rev-parse", "HEAD")
    write_entry(tree.path, "gone", entry("g", now))
    enter(tree.path, {"edge": entry("e", now)}, complete=False)
    assert sorted(read_ledger(tree.path)) == ["edge", "gone"]
    said = enter(tree.path, {"edge": entry("e", now)}, complete=True)
    assert said[0] == "gone: no longer a study; `git rm results/gone.dvc`"
    assert sorted(read_ledger(tree.path)) == ["edge"]


def test_the_single_file_of_before_is_split_once_and_nothing_is_lost(tree):
    first = tree.git("rev-parse", "HEAD")
    studies = {"edge": entry("e1", first), "tide": entry("t1", first)}
    (tree.path / "results" / "ledger.json").write_text(json.dumps({"schema": 1, "studies": studies}))
    second = tree.commit("Publish results")
    said = enter(tree.path, {"edge": entry("e1", second), "wave": entry("w1", second)}, complete=False)
    assert said == [
        "results/ledger.json: split into results/ledger/, one file a study",
        f"edge: unchanged since {first[:12]}",
        "wave: supported, cube w1",
    ]
    assert read_ledger(tree.path) == {**studies, "wave": entry("w1", second)}
    assert changed(tree) == [
        "D results/ledger.json", *(f"?? results/ledger/{study}.json" for study in ("edge", "tide", "wave"))
    ]  # fmt: skip
    assert len(enter(tree.path, {"edge": entry("e1", second)}, complete=False)) == 1


def test_a_single_file_with_a_study_that_is_gone_is_split_without_it_by_a_complete_publish(tree):
    now = tree.git("rev-parse", "HEAD")
    record = {"schema": 1, "studies": {"edge": entry("e1", now), "gone": entry("g1", now)}}
    (tree.path / "results" / "ledger.json").write_text(json.dumps(record))
    said = enter(tree.path, {"edge": entry("e2", now)}, complete=True)
    assert said[1:] == ["gone: no longer a study; `git rm results/gone.dvc`", "edge: supported, cube e2"]
    before = [{"commit": now, "cube": "e1", "verdict": "supported", "claims": {}}]
    assert read_ledger(tree.path) == {"edge": {**entry("e2", now), "before": before}}


def test_a_broken_entry_stops_the_publishing_of_its_study_before_anything_is_written(tree):
    now = tree.git("rev-parse", "HEAD")
    write_entry(tree.path, "tide", entry("t1", now))
    path = tree.path / "results" / "ledger" / "tide.json"
    path.write_text(f"<<<<<<< HEAD\n{path.read_text()}")
    before = changed(tree)
    with pytest.raises(InputError, match=r"results/ledger/tide\.json: not a ledger"):
        enter(tree.path, {"edge": entry("e1", now), "tide": entry("t2", now)}, complete=True)
    assert changed(tree) == before
    enter(tree.path, {"edge": entry("e1", now)}, complete=False)
    assert read_entry(tree.path, "edge")["cube"] == "e1"


def test_a_ledger_that_git_would_ignore_is_refused(tree):
    module._check_kept(tree.path, ["edge"])
    (tree.path / ".gitignore").write_text("/results/*\n!/results/ledger.json\n")
    with pytest.raises(InputError, match=r"git ignores results/ledger/edge\.json, .* add the line !/results/ledger/ "):
        module._check_kept(tree.path, ["edge", "tide"])
    with (tree.path / ".gitignore").open("a") as file:
        file.write("!/results/ledger/\n")
    module._check_kept(tree.path, ["edge", "tide"])


@pytest.mark.parametrize("name", ["ledger", "atlas", "plans", "prepared", "reproduced"])
def test_no_study_is_called_like_a_folder_of_the_results_that_is_something_else(tmp_path, name):
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / f"{name}.py").write_text("")
    with pytest.raises(InputError, match=rf"studies/{name}\.py: '{name}' means something else here or in Python; call"):
        _ = Lab.read(tmp_path).chapters
