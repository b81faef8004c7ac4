"""Cubes looked up in the history of a small repository's ledger; with real results in tests/workflow."""

import re

import pytest
import xarray as xr

from dlatlas.cubes.cube import cube_digest, write_cube
from dlatlas.errors import AtlasError
from dlatlas.identity.store import write_json
from dlatlas.publishing.ledger import read_entry, split_ledger, summary, write_entry
from dlatlas.publishing.whence import whence


@pytest.fixture
def cube(tmp_path):
    """A cube that says that it is of the study ``edge``."""
    held = xr.Dataset({"loss": ("seed", [1.0, 2.0, 3.0])}, {"seed": range(3)})
    held.attrs |= {"study": "edge", "scale": "smoke", "runs": 3, "versions": "{}"}
    write_cube(held, tmp_path / "somewhere")
    return tmp_path / "somewhere"


@pytest.fixture
def entry(cube, tree):
    """What the ledger says of it."""
    loss = summary(xr.DataArray([1.0, 2.0, 3.0], dims="seed"))
    return {
        "scale": "smoke", "code": {"run": "c0de"}, "params": "para", "data": None, "cube": cube_digest(cube),
        "variables": {"loss": loss}, "commit": tree.git("rev-parse", "HEAD"), "date": "2026-11-01T00:00:00+00:00",
    }  # fmt: skip


def single(tree, entry):
    """Writes a ledger of one file, as it was before December 2026."""
    write_json(tree.path / "results" / "ledger.json", {"schema": 1, "studies": {"other": {"cube": "x"}, "edge": entry}})


def found(lines):
    return re.search(r"found in (\S+): its bytes are those that were published", lines[-1])[1]


def test_a_cube_is_found_in_the_single_file_of_an_old_commit(tree, entry, cube):
    single(tree, entry)
    old = tree.commit("Publish results")
    split_ledger(tree.path)
    tree.commit("Split the ledger")
    write_entry(tree.path, "edge", {**entry, "cube": "0" * 20})
    tree.commit("Publish edge")
    lines = whence(cube, tree.path)
    assert found(lines) == f"{old[:12]}:results/ledger.json"
    assert any(line.split() == ["commit", entry["commit"]] for line in lines)


def test_a_cube_is_found_in_the_history_of_its_study_s_own_file(tree, entry, cube):
    single(tree, {**entry, "cube": "0" * 20})
    tree.commit("Publish results")
    split_ledger(tree.path)
    write_entry(tree.path, "edge", entry)
    published = tree.commit("Publish edge")
    (tree.path / "results" / "ledger" / "edge.json").write_text("<<<<<<< HEAD")
    tree.commit("Break it")
    write_entry(tree.path, "edge", {**entry, "cube": "1" * 20})
    tree.commit("Publish edge again")
    assert found(whence(cube, tree.path)) == f"{published[:12]}:results/ledger/edge.json"


def test_a_cube_of_a_branch_is_found_even_if_the_merge_took_the_other_one(tree, entry, cube):
    base = tree.git("rev-parse", "HEAD")
    write_entry(tree.path, "edge", entry)
    published = tree.commit("Publish edge")
    tree.git("checkout", "--quiet", "-b", "other", base)
    write_entry(tree.path, "edge", {**entry, "cube": "0" * 20})
    tree.commit("Publish edge, too")
    tree.git("merge", "--quiet", "--strategy=ours", "--message", "Merge", "main")
    assert read_entry(tree.path, "edge")["cube"] == "0" * 20
    assert found(whence(cube, tree.path)) == f"{published[:12]}:results/ledger/edge.json"


@pytest.mark.parametrize("alone", [True, False])
def test_an_entry_that_is_not_yet_committed_counts(tree, entry, cube, alone):
    if alone:
        write_entry(tree.path, "edge", entry)
    else:
        single(tree, entry)
    assert found(whence(cube, tree.path)) == ("results/ledger/edge.json" if alone else "results/ledger.json")


def test_a_cube_that_only_other_entries_know_is_refused(tree, entry, cube):
    write_entry(tree.path, "other", entry)
    tree.commit("Publish other")
    with pytest.raises(AtlasError, match="no cube of it was published here"):
        whence(cube, tree.path)
    write_entry(tree.path, "edge", {**entry, "cube": "0" * 20})
    with pytest.raises(AtlasError, match=f"only its numbers are those of the published cube {'0' * 20}"):
        whence(cube, tree.path)
