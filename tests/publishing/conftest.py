"""A small git repository."""

import subprocess

import pytest


class Tree:
    """A git repository on the branch ``main``."""

    def __init__(self, path):
        self.path = path

    def git(self, *words):
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *who, *words], cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, message="Something"):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def tree(tmp_path):
    """A repository with one commit, and a ``.gitignore`` as the atlas's."""
    repo = Tree(tmp_path / "repo")
    (repo.path / "results").mkdir(parents=True)
    (repo.path / ".gitignore").write_text("/results/*\n!/results/*.dvc\n!/results/ledger/\n!/results/ledger.json\n")
    repo.git("init", "--quiet", "--initial-branch=main")
    repo.commit()
    return repo
