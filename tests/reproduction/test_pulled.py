import os
import subprocess
import sys

import pytest

from dlatlas.reproduction.pulled import damaged, pull, use_remote

POINTER = "results/edge.dvc"


def run(path, *words):
    who = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b"}
    return subprocess.run(words, cwd=path, check=True, capture_output=True, text=True, env={**os.environ, **who}).stdout


def dvc(path, *words):
    return run(path, sys.executable, "-m", "dvc", *words)


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A repository with one published folder, its remote beside it, named by a relative path."""
    path = tmp_path_factory.mktemp("origin") / "repo"
    (path / "results" / "edge").mkdir(parents=True)
    for name in ("a", "b"):
        (path / "results" / "edge" / name).write_text(name)
    run(path, "git", "init", "--quiet")
    dvc(path, "init", "--quiet")
    dvc(path, "add", "--quiet", "results/edge")
    run(path, "git", "add", "--all")
    run(path, "git", "commit", "--quiet", "-m", "Publish")
    dvc(path, "remote", "add", "--default", "store", "../store")  # not committed: what counts is the present setting
    dvc(path, "remote", "modify", "store", "verify", "true")
    dvc(path, "push", "--quiet")
    return path


@pytest.fixture
def tree(origin, tmp_path):
    """A worktree of its commit, somewhere else."""
    path = tmp_path / "far" / "away" / "tree"
    run(origin, "git", "worktree", "add", "--quiet", "--detach", str(path), "HEAD")
    return path


def test_results_come_from_the_remote_of_today_and_the_tree_stays_clean(origin, tree):
    assert use_remote(origin, tree) == "store"
    assert pull(tree, POINTER) is None
    assert (tree / "results" / "edge" / "a").read_text() == "a"
    assert damaged(tree, POINTER) == []
    assert run(tree, "git", "status", "--porcelain") == ""


def test_files_that_are_not_those_that_were_published_are_named(origin, tree):
    use_remote(origin, tree)
    assert pull(tree, POINTER) is None
    home = tree / "results" / "edge"
    (home / "a").write_text("c")
    (home / "b").unlink()
    (home / "more").write_text("")
    assert damaged(tree, POINTER) == ["results/edge/a", "results/edge/b", "results/edge/more"]
    for path in (tree / ".dvc" / "cache").rglob("*.dir"):
        path.chmod(0o644)
        path.write_text("[]")
    assert damaged(tree, POINTER) == ["the list of files of results/edge.dvc"]


def test_what_the_remote_lost_is_told_and_a_tree_without_dvc_has_no_remote(origin, tree, tmp_path):
    use_remote(origin, tree)
    (origin.parent / "store").rename(tmp_path / "store")
    try:
        assert "failed to pull" in pull(tree, POINTER)
    finally:
        (tmp_path / "store").rename(origin.parent / "store")
    assert use_remote(tmp_path, tree) is None
