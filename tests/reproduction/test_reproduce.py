"""Commits of a small repository whose Snakefile copies what was stored in it: made again, compared, told."""

import json
import os
import shutil
import subprocess
import sysconfig
import zipfile

import numpy as np
import pytest
import xarray as xr
from PIL import Image
from typer.testing import CliRunner

from dlatlas.cli import app as cli
from dlatlas.cubes.cube import files_of, write_cube
from dlatlas.errors import InputError
from dlatlas.identity.store import write_json
from dlatlas.publishing.ledger import read_entry, split_ledger, summary, write_entry
from dlatlas.reproduction import reproduce as module
from dlatlas.reproduction.reproduce import Request, reproduce

SNAKEFILE = """
rule all:
    input:
        "results/done",
rule copy:
    output:
        "results/done",
    shell:
        "cp -r stored/* results/ && touch {output}"
"""
PARAMS = "fixed: {lr: 0.5}\nscales:\n  smoke:\n    axes: {seed: {range: 4}}\n"
CODE = 'def judge_study(cube):\n    """Judges."""\n    return 1\n'


class Small:
    """A repository, and what is stored in it."""

    def __init__(self, path):
        self.path = path
        self.stored = path / "stored" / "edge"
        self.results = path / "results"

    def git(self, *words):
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        done = subprocess.run(["git", *who, *words], cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self):
        self.git("add", "--all", "--force", "--", ".", ":!results/edge", ":!results/reproduced")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Something")
        return self.git("rev-parse", "HEAD")

    def store(self, shift=0.0, verdict="supported", shade=100, recipe="a"):
        """Stores a study's results: a cube moved by ``shift`` standard errors, a verdict, and a grey figure."""
        shutil.rmtree(self.stored, ignore_errors=True)
        values = np.random.default_rng(1).normal(size=(3, 4))
        values += shift * values.std(1, ddof=1, keepdims=True) / 2
        cube = xr.Dataset({"loss": (("width", "seed"), values)}, {"width": [1, 2, 3], "seed": range(4)})
        cube.attrs |= {"scale": "smoke", "versions": json.dumps({"numpy": np.__version__})}
        write_cube(cube, self.stored / "cube.zarr")
        write_json(
            self.stored / "stamps" / f"cube-{recipe}.json", {"digest": "", "files": files_of(self.stored / "cube.zarr")}
        )
        write_json(self.stored / "verdict.json", {"scale": "smoke", "verdict": verdict, "claims": []})
        (self.stored / "figure.svg").write_text(f"<svg>{shade}</svg>")
        Image.new("L", (40, 30), shade).save(self.stored / "figure.png")
        return cube

    def enter(self, cube, commit, **changed):
        """Puts a cube into the ledger."""
        entry = {
            "scale": "smoke",
            "variables": {"loss": summary(cube["loss"])},
            "verdict": {"verdict": "supported", "claims": {}},
            "versions": {"numpy": np.__version__},
            "commit": commit,
        }
        write_entry(self.path, "edge", {**entry, **changed})

    def publish_here(self):
        """Lays the stored results where the user's are."""
        shutil.copytree(self.stored, self.results / "edge", dirs_exist_ok=True)

    def edit(self, name, old, new):
        path = self.path / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def again(self, commit="HEAD", **options):
        self.told = []
        request = Request(self.path, commit, results=self.results, **{"cores": "1", "scale": "smoke", **options})
        return reproduce(request, self.told.append)

    def only(self, *words, **options):
        """The comparison with one reference, and the report."""
        report = self.again(*words, **options)
        (item,) = report.studies[0].against
        return item, report


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    repo = Small(tmp_path / "repo")
    for name, text in (
        ("Snakefile", SNAKEFILE),
        ("params/edge.yaml", PARAMS),
        ("src/dlatlas/judging/verdict.py", CODE),
        ("src/dlatlas/__init__.py", ""),
        (".gitignore", "results/edge\nresults/reproduced\n"),
        ("results/.gitkeep", ""),
    ):
        (repo.path / name).parent.mkdir(parents=True, exist_ok=True)
        (repo.path / name).write_text(text)
    repo.git("init", "--quiet", "--initial-branch=main")
    return repo


@pytest.fixture
def copying(monkeypatch):
    """Saves the seconds of a real Snakemake."""

    def copy(python, variables, tree, names, scale, cores, log, tell):
        shutil.copytree(tree / "stored", tree / "results", dirs_exist_ok=True)
        return {}

    monkeypatch.setattr(module, "run_pipeline", copy)


def said(item):
    return [f"{drift.kind}: {drift.said}" for drift in item.drift]


# The tree.


def test_a_commit_of_another_layout_is_made_by_its_own_snakefile_beside_a_dirty_tree(small, tmp_path):
    small.store()
    commit = small.commit()
    small.publish_here()
    small.store(shift=9)
    (small.path / "Snakefile").write_text("nonsense")
    before = small.git("status", "--porcelain")
    item, report = small.only(commit)
    assert report.outcome == item.outcome == "identical"
    assert (report.commit, item.reference) == (commit, "results here")
    assert small.git("status", "--porcelain") == before
    assert small.git("worktree", "list").count("\n") == 0
    assert not list((tmp_path / "cache" / "dlatlas" / "checkouts").iterdir())
    made = {path.name for path in (small.results / "reproduced" / commit[:12] / "edge").iterdir()}
    assert made == {"cube.zarr", "verdict.json", "figure.svg", "figure.png", "stamps"}
    assert any("2 of 2 steps" in line for line in small.told)
    assert "no DVC remote: everything is computed again" in small.told


def test_a_checkout_stays_if_asked_and_a_hook_is_not_run(small, copying):
    small.store()
    small.commit()
    hook = small.path / ".git" / "hooks" / "post-checkout"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    small.again(keep=True)
    kept = small.git("worktree", "list").splitlines()[1].split()[0]
    assert kept in small.told[-1]
    with pytest.raises(Exception, match="kept by an earlier run"):
        small.again(keep=True)
    small.again()
    assert small.git("worktree", "list").count("\n") == 1
    small.git("worktree", "remove", "--force", kept)


@pytest.mark.parametrize("how", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_run_leaves_no_worktree(small, monkeypatch, how):
    small.store()
    small.commit()

    def stop(*_):
        raise how

    monkeypatch.setattr(module, "run_pipeline", stop)
    with pytest.raises(how):
        small.again()
    assert small.git("worktree", "list").count("\n") == 0


def test_what_a_killed_run_left_is_taken_away_by_the_next(small, copying, tmp_path):
    small.store()
    commit = small.commit()
    with subprocess.Popen(["true"]) as process:
        process.wait()
    dead = tmp_path / "cache" / "dlatlas" / "checkouts" / f"{commit[:12]}.{process.pid}"
    alive = dead.with_suffix(f".{os.getppid()}")
    for work in (dead, alive):
        small.git("worktree", "add", "--quiet", "--detach", str(work / "checkout"), commit)
    small.again()
    assert not dead.exists()
    assert alive.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"commit": "nosuch"}, "nosuch: no such commit in .*repo; `git fetch`"),
        ({"commit": "--all"}, "--all: no such commit"),
        ({"studies": ("egde",)}, 'HEAD: unknown study "egde"; did you mean "edge"'),
        ({"scale": "huge"}, 'unknown scale "huge"'),
    ],
)
def test_bad_words_are_one_line(small, copying, options, message):
    small.store()
    small.commit()
    with pytest.raises(InputError, match=message):
        small.again(**options)
    assert small.git("worktree", "list").count("\n") == 0


def test_without_git_and_without_a_snakefile_it_is_one_line(small, copying):
    (small.path / "Snakefile").unlink()
    small.commit()
    with pytest.raises(InputError, match="HEAD: that commit has no Snakefile"):
        small.again()
    shutil.rmtree(small.path / ".git")
    with pytest.raises(InputError, match="not a git checkout"):
        small.again()


def test_a_commit_s_own_lock_file_is_its_environment(small, tmp_path):
    """The wheel that it lists lets Python find what is installed here: no second torch for a test."""
    wheel = tmp_path / "here-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("here.pth", sysconfig.get_path("purelib") + "\n")
        file.writestr("here-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: here\nVersion: 1.0\n")
        file.writestr("here-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("here-1.0.dist-info/RECORD", "")
    (small.path / "requirements.lock").write_text(f"--no-index\n{wheel}\n")
    small.store()
    small.commit()
    (small.path / "requirements.lock").write_text("another\n")
    small.publish_here()
    report = small.again()
    assert report.outcome == "identical"
    assert report.python.startswith(str(tmp_path / "cache" / "dlatlas" / "environments"))
    assert report.versions["numpy"] == np.__version__


# Outcomes.


def test_with_nothing_to_compare_with_it_says_so_and_fails(small, copying, monkeypatch):
    small.store()
    small.commit()
    monkeypatch.setattr(cli, "ROOT", small.path)
    done = CliRunner().invoke(cli.app, ["reproduce", "HEAD", "--scale", "smoke", "--results", str(small.results)])
    assert done.exit_code == 1
    assert "nothing to compare with" in done.stdout


@pytest.mark.parametrize(
    ("shift", "outcome", "code"), [(0, "identical", 0), (0.5, "within tolerance", 0), (2, "different", 1)]
)
def test_a_ledger_alone_is_enough_and_machines_get_json_only(small, copying, monkeypatch, shift, outcome, code):
    small.enter(small.store(), small.commit())
    small.store(shift)
    small.commit()
    monkeypatch.setattr(cli, "ROOT", small.path)
    done = CliRunner().invoke(cli.app, ["reproduce", "HEAD", "--json", "--results", str(small.results)])
    assert done.exit_code == code, done.output
    record = json.loads(done.stdout)
    (item,) = record["studies"][0]["against"]
    assert record["outcome"] == item["cube"]["outcome"] == outcome
    assert (item["reference"], item["figure"]) == ("ledger", None)
    assert record == json.loads((small.results / "reproduced" / record["commit"][:12] / "report.json").read_text())
    assert "comparing edge" in done.stderr


def test_the_table_names_variable_place_and_size_and_a_picture_shows_both_figures(small, copying, monkeypatch):
    small.store()
    small.publish_here()
    small.store(shift=3, shade=200)
    commit = small.commit()
    monkeypatch.setattr(cli, "ROOT", small.path)
    words = ["reproduce", "HEAD", "edge", "--scale", "smoke", "--results", str(small.results)]
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 1
    assert "≠ different 3 s.e." in done.stdout
    assert "variable loss: 3 standard errors at width = " in done.stdout
    assert "figure.png: 100.00% of the pixels" in done.stdout
    beside = small.results / "reproduced" / commit[:12] / "edge" / "beside-results-here.png"
    assert str(beside) in done.stdout
    assert Image.open(beside).size == (120, 90)


def test_another_verdict_is_different_even_if_the_cube_is_not(small, copying):
    small.store()
    small.publish_here()
    small.store(verdict="contradicted")
    small.commit()
    item, report = small.only()
    assert (item.cube, report.outcome) == ([], "different")
    assert item.verdict[0].said == "supported → contradicted"


def test_a_figure_that_alone_differs_is_different_and_one_of_moved_numbers_is_within_tolerance(small, copying):
    small.store()
    small.publish_here()
    small.store(shade=101)
    small.commit()
    assert {d.outcome for d in small.only()[0].figure} == {"different"}
    small.store(shift=0.1, shade=101)
    small.commit()
    assert {d.outcome for d in small.only()[0].figure} == {"within tolerance"}


def test_a_study_that_fails_is_told_and_fails(small, monkeypatch):
    small.store()
    (small.path / "Snakefile").write_text(SNAKEFILE.replace("cp -r", "echo 'error: edge is broken' >&2; false; cp"))
    small.commit()
    report = small.again()
    assert (report.outcome, report.studies[0].error) == ("different", "edge is broken")


def test_another_scale_is_not_compared(small, copying):
    cube = small.store()
    small.enter(cube, small.commit())
    small.edit("results/ledger/edge.json", '"smoke"', '"laptop"')
    small.commit()
    item, report = small.only()
    assert item.note == "the ledger holds scale laptop, this is smoke"
    assert report.outcome is None


@pytest.fixture
def lone(small):
    """Lays an entry into a ledger of one file, as commits before December 2026 have it."""

    def enter(cube, commit, **changed):
        small.enter(cube, commit, **changed)
        entry = read_entry(small.path, "edge")
        shutil.rmtree(small.results / "ledger")
        write_json(small.results / "ledger.json", {"schema": 1, "studies": {"edge": entry}})

    return enter


def test_an_old_commit_s_ledger_of_one_file_is_compared_with(small, copying, lone):
    lone(small.store(), small.commit())
    old = small.commit()
    assert split_ledger(small.path)
    small.store(shift=9)
    small.commit()
    item, report = small.only(old, scale=None)
    assert (item.reference, item.outcome, report.studies[0].scale) == ("ledger", "identical", "smoke")
    item, report = small.only(scale=None)
    assert (item.reference, item.outcome, report.studies[0].scale) == ("ledger", "different", "smoke")


@pytest.mark.parametrize("name", ["ledger.json", "ledger/edge.json"])
def test_a_ledger_that_cannot_be_read_is_told_once_and_the_study_made_all_the_same(small, copying, name):
    small.store()
    (small.results / name).parent.mkdir(exist_ok=True)
    (small.results / name).write_text("<<<<<<< HEAD")
    small.commit()
    report = small.again()
    (line,) = [line for line in small.told if "cannot be read" in line]
    assert line.startswith(f"the commit's ledger cannot be read: results/{name}: not a ledger (Expecting value: ")
    assert [(made.study, made.against, made.error) for made in report.studies] == [("edge", [], None)]


def test_another_study_s_broken_entry_is_no_obstacle(small, copying):
    small.enter(small.store(), small.commit())
    (small.results / "ledger" / "other.json").write_text("<<<<<<< HEAD")
    small.commit()
    item, report = small.only()
    assert (item.outcome, report.outcome) == ("identical", "identical")
    assert not [line for line in small.told if "cannot be read" in line]


# Drift.


def test_a_library_a_processor_and_a_lost_commit_are_named(small, copying):
    small.enter(small.store(shift=0.1), "0" * 40, versions={"numpy": "1.0"}, processor="abacus")
    small.store()
    small.commit()
    item, report = small.only()
    assert report.outcome == "within tolerance"
    names = said(item)
    assert names[0] == "commit: made from commit 000000000000, which is not here: what changed since cannot be said"
    assert names[1] == f"library: made with numpy 1.0, here {np.__version__}"
    assert names[2].startswith("processor: made on abacus, here ")


@pytest.mark.parametrize(
    ("file", "old", "new", "name"),
    [
        (
            "src/dlatlas/judging/verdict.py",
            "return 1",
            "return 2",
            "code: verdict: dlatlas.judging.verdict:judge_study changed",
        ),
        ("params/edge.yaml", "lr: 0.5", "lr: 0.25", "params: params of edge: fixed.lr: 0.5 → 0.25"),
    ],
)
def test_what_changed_since_the_ledger_s_commit_is_named(small, copying, file, old, new, name):
    cube = small.store()
    small.enter(cube, small.commit())
    small.edit(file, old, new)
    small.store(shift=4)
    small.commit()
    item, report = small.only()
    assert (said(item), report.outcome) == ([name], "different")


def test_rounding_is_called_rounding(small, copying):
    small.enter(small.store(), small.commit())
    small.store(shift=1e-9)
    small.commit()
    item, report = small.only()
    assert report.outcome == "within tolerance"
    assert said(item)[0].startswith("rounding: code, params, data, libraries and processor are the same")


def test_one_byte_in_the_results_here_is_named_and_counts(small, copying):
    small.enter(small.store(), small.commit())
    small.commit()
    small.publish_here()
    chunk = next(path for path in (small.results / "edge/cube.zarr/loss/c").rglob("*") if path.is_file())
    content = bytearray(chunk.read_bytes())
    content[-1] ^= 1
    chunk.write_bytes(content)
    report = small.again()
    ledger, here = report.studies[0].against
    assert ledger.outcome == "identical"
    assert (here.outcome, here.counts, report.outcome) == ("different", True, "different")
    assert any(f"{chunk}: corrupted" in line for line in said(here))


def test_newer_results_here_are_shown_but_do_not_count_where_the_commit_has_its_own_record(small, copying):
    small.enter(small.store(), small.commit())
    old = small.commit()
    small.edit("params/edge.yaml", "range: 4", "range: 5")
    small.store(shift=5, recipe="b")
    small.publish_here()
    report = small.again(old)
    ledger, here = report.studies[0].against
    assert (ledger.outcome, here.outcome, here.counts) == ("identical", "different", False)
    assert report.outcome == "identical"
    assert said(here) == ["params: params of edge: scales.smoke.axes.seed.range: 5 → 4"]


def test_where_there_is_no_record_results_here_count_whatever_made_them(small, copying):
    small.store()
    small.commit()
    small.store(shift=5, recipe="b")
    small.publish_here()
    assert small.again().outcome == "different"
