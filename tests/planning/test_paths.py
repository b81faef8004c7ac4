import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake_interface_executor_plugins import utils
from snakemake_interface_executor_plugins.executors.real import RealExecutor

from dlatlas.errors import AtlasError, InputError
from dlatlas.planning import paths
from dlatlas.planning.plan import Settings

ODD = 'My Drive (1)/it\'s {run} $HOME [x] é `a` "b" #1'


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_belongs_to_the_checkout_from_any_folder_in_it(here, monkeypatch):
    for folder in ("lab/docs/deep", "lab2"):
        (here / folder).mkdir(parents=True)
    for start, expected in (("lab/docs/deep", "lab"), ("lab", "lab"), ("lab2", "lab2"), (".", ".")):
        monkeypatch.chdir(here / start)
        assert paths.home(here / "lab") == here / expected


@pytest.mark.parametrize("folder", ["007", "1e3", "~", "[x]", "{run}", "a: b", "disk #1", "True", ODD])
def test_a_folder_is_what_was_typed_not_what_yaml_makes_of_it(here, folder):
    found = Settings.read({"results": "another"}, here, [f"results={folder}", "scale=smoke"])
    assert found.results == Path(folder)
    assert found.options()[found.options().index("--results") + 1] == str(Path(folder))


def test_a_folder_that_was_typed_elsewhere_is_taken_from_there(here):
    (here / "docs").mkdir()
    assert Settings.read({}, here, ["results=out"], here / "docs").results == Path("docs/out")
    assert Settings.read({}, here, ["results=/out"], here / "docs").results.resolve() == Path("/out")


def test_a_folder_that_is_none_is_one_line(here):
    with pytest.raises(InputError, match=r"^--config results: expected a folder, found \['x'\]$"):
        Settings.read({"results": ["x"]}, here)


def test_only_what_snakemake_takes_for_a_pattern_is_linked_to(here):
    assert paths.plain(Path("it's $HOME [x]")) == Path("it's $HOME [x]")
    link = paths.plain(here / ODD)
    assert link == paths.plain(here / ODD)
    assert not set(str(link)) & set("{}<> '$")
    assert link.resolve() == here / ODD
    assert paths.plain(here / "{other}").resolve() == here / "{other}"


def test_a_folder_that_cannot_be_made_is_one_line(here):
    (here / "{file}").write_text("")
    with pytest.raises(AtlasError, match=r"^\{file\}/a: cannot be linked to from [^\n]*: Not a directory$"):
        paths.plain(Path("{file}/a"))


@pytest.fixture
def quoting(monkeypatch):
    """Snakemake's command lines with our quotes, until the test ends."""
    monkeypatch.setattr(utils, "format_cli_pos_arg", utils.format_cli_pos_arg)
    monkeypatch.setattr(RealExecutor, "format_job_exec", lambda self, job: f"cd && {self.python} -m snakemake {job}")
    paths.quote_jobs()
    paths.quote_jobs()  # as where a job of a job reads the Snakefile


def test_a_cluster_s_job_is_told_the_words_that_were_meant(quoting):
    for value in (ODD, Path(ODD), [f"results={ODD}", "scale=smoke"], "all", 3, True, [1, 2]):
        words = shlex.split(utils.format_cli_arg("--flag", value))
        items = value if isinstance(value, list) else [] if value is True else [value]
        assert words == ["--flag", *map(str, items)]


def test_a_cluster_s_job_is_given_the_interpreter_that_was_meant(quoting):
    python = f"/{ODD}/bin/python"
    said = RealExecutor.format_job_exec(SimpleNamespace(python=python, get_python_executable=lambda: python), "job")
    assert shlex.split(said) == ["cd", "&&", python, "-P", "-m", "snakemake", "job"]
