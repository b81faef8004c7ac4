import os
import subprocess

import pytest

from dlatlas.errors import AtlasError
from dlatlas.identity.git import KEPT, dirty_files, environment, git, head


@pytest.fixture
def tree(tmp_path):
    """A git checkout with a committed file."""

    def run(*words):
        subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "c.py").write_text("3")
    run("init", "--initial-branch=main")
    (tmp_path / "a b.py").write_text("1")
    (tmp_path / ".gitignore").write_text("*.log\n_*.py\nzip/\n")
    run("add", ".")
    run("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-m", "first", "--date=2026-01-02T03:04:05+00:00")
    return tmp_path


def test_a_clean_tree_has_no_dirty_files(tree):
    (tree / "x.log").write_text("ignored")
    assert dirty_files(tree) == []
    assert head(tree)["dirty"] is False
    assert len(head(tree)["commit"]) == 40
    assert head(tree)["date"].startswith("20")


def test_changed_new_staged_and_deleted_files_are_named(tree):
    (tree / "new folder").mkdir()
    (tree / "new folder" / "n.py").write_text("")
    assert dirty_files(tree) == ["new folder/n.py"]
    git(tree, "add", ".")
    (tree / "a b.py").unlink()
    assert dirty_files(tree) == ["a b.py", "new folder/n.py"]
    assert head(tree)["dirty"] is True


def test_what_publishing_writes_is_not_dirt(tree):
    (tree / "results").mkdir()
    for name in ("results/edge.dvc", "results/ledger/edge.json", "results/ledger.json", "results/.gitignore"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text("")
    assert dirty_files(tree) == []
    (tree / "results" / "edge.json").write_text("")
    (tree / "data.dvc").write_text("")  # what results are made from, like params
    assert dirty_files(tree) == ["data.dvc", "results/edge.json"]


NONE = {"commit": None, "date": None, "dirty": None}


def test_outside_git_there_is_no_commit(tmp_path):
    assert head(tmp_path) == {**NONE, "unknown": "made outside git"}
    with pytest.raises(AtlasError, match="git status: fatal: not a git repository"):
        dirty_files(tmp_path)


def test_a_file_that_entered_a_result_is_compared_whatever_git_was_told(tree):
    entered = [tree / "a b.py", tree / "packed" / "c.py"]
    assert dirty_files(tree, entered) == []
    for words in (["--assume-unchanged", "a b.py"], ["--skip-worktree", "packed/c.py"]):
        git(tree, "update-index", *words)
    (tree / "a b.py").write_text("2")
    (tree / "packed" / "c.py").write_text("4")
    (tree / "_helper.py").write_text("")
    assert dirty_files(tree) == []
    assert dirty_files(tree, [*entered, tree / "_helper.py"]) == ["_helper.py", "a b.py", "packed/c.py"]
    assert head(tree, entered)["dirty"] is True


def test_a_file_of_another_place_is_not_the_commit_s(tree, tmp_path_factory):
    away = tmp_path_factory.mktemp("away") / "params.yaml"
    away.write_text("")
    (tree / "link.yaml").symlink_to(away)
    (tree / "own.py").symlink_to("a b.py")
    git(tree, "add", "own.py", "link.yaml")
    git(tree, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-m", "links")
    assert dirty_files(tree, [away]) == [str(away)]
    assert dirty_files(tree, [tree / "link.yaml"]) == [str(tree / "link.yaml")]
    assert dirty_files(tree, [tree / "own.py"]) == []


def test_variables_of_a_hook_name_no_other_repository(tree, tmp_path_factory, monkeypatch):
    before = head(tree)
    other = tmp_path_factory.mktemp("other")
    git(other, "init")
    for name, value in (("GIT_DIR", other / ".git"), ("GIT_WORK_TREE", other), ("GIT_INDEX_FILE", other / "index")):
        monkeypatch.setenv(name, str(value))
    assert head(tree) == before
    assert before["dirty"] is False
    assert not {name for name in environment() if name.startswith("GIT_")} - set(KEPT)


def test_what_was_unpacked_inside_another_repository_has_not_its_commit(tree):
    (tree / "zip" / "src").mkdir(parents=True)
    (tree / "zip" / "src" / "a.py").write_text("")
    assert dirty_files(tree) == []  # ignored there
    assert head(tree / "zip") == {**NONE, "unknown": "not in the repository around it"}
    git(tree, "add", "--force", "zip")
    assert head(tree / "zip")["unknown"] == "not in the repository around it"


def test_a_checkout_in_a_folder_of_a_repository_is_looked_at_alone(tree):
    assert head(tree / "packed", [tree / "packed" / "c.py"])["dirty"] is False
    (tree / "a b.py").write_text("elsewhere")
    assert head(tree / "packed")["dirty"] is False
    (tree / "packed" / "c.py").write_text("4")
    assert dirty_files(tree / "packed", [tree / "packed" / "c.py"]) == ["c.py"]


def test_before_the_first_commit_there_is_none_to_name(tmp_path):
    git(tmp_path, "init")
    assert head(tmp_path) == {**NONE, "unknown": "no commit yet"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_checkout_of_another_user_says_why_it_has_no_commit(tree, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for path in (tree, tree / ".git"):
        os.chown(path, 12345, 12345)
    assert head(tree)["unknown"].startswith("git trusts no checkout of another user")
    with pytest.raises(AtlasError, match=r"dubious ownership in .*; `git config --global --add safe\.directory "):
        dirty_files(tree)


def test_without_git_a_figure_says_so(tree, monkeypatch):
    monkeypatch.setenv("PATH", str(tree))
    assert head(tree) == {**NONE, "unknown": "git is not installed"}
