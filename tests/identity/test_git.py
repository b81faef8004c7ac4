import subprocess

import pytest

from dlatlas.errors import AtlasError
from dlatlas.identity.git import dirty_files, git, head


@pytest.fixture
def tree(tmp_path):
    """A git checkout with a committed file."""

    def run(*words):
        subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True)

    run("init", "--initial-branch=main")
    (tmp_path / "a b.py").write_text("1")
    (tmp_path / ".gitignore").write_text("*.log\n")
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


def test_outside_git_there_is_no_commit(tmp_path):
    assert head(tmp_path) == {"commit": None, "date": None, "dirty": None}
    with pytest.raises(AtlasError, match="git status: fatal: not a git repository"):
        dirty_files(tmp_path)
