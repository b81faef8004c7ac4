"""Where a file comes from, wherever it was copied to."""

import json
import re
import shutil

import pytest
import xarray as xr

from dlatlas.cubes.cube import files_of, write_cube
from dlatlas.errors import AtlasError, InputError
from dlatlas.publishing.ledger import read_entry, write_entry
from dlatlas.publishing.whence import whence

pytestmark = pytest.mark.workflow

FILES = (
    "edge/figure.svg",
    "edge/figure.png",
    "atlas/edge.svg",
    "atlas/edge.png",
    "atlas/edge.html",
    "atlas/index.html",
)


def facts(lines):
    return dict(re.split(r"  +", line.strip(), maxsplit=1) for line in lines[1:] if "  " in line.strip())


@pytest.fixture
def cube(published, tmp_path):
    """The published cube, copied elsewhere under another name."""
    return shutil.copytree(published.path / "results" / "edge" / "cube.zarr", tmp_path / "somewhere")


@pytest.mark.parametrize("name", FILES)
def test_a_figure_or_page_says_where_it_comes_from_wherever_it_is(published, tmp_path, name):
    copied = shutil.copy(published.path / "results" / name, tmp_path / "renamed")
    said = facts(whence(copied, published.path))
    first = published.git("rev-list", "--max-parents=0", "HEAD")
    verdict = json.loads((published.path / "results" / "edge" / "verdict.json").read_text())
    assert (said["study"], said["scale"], said["commit"]) == ("edge", "smoke", first)
    assert said["date"] == published.git("show", "--no-patch", "--format=%cI", first)
    assert said["again"] == f"git checkout {first} && snakemake --cores all --config studies=edge scale=smoke"
    if name == "atlas/index.html":
        assert said["cube edge"] == verdict["cube"]
    else:
        assert said["cube"] == verdict["cube"]
        assert "torch 2." in said["versions"]


def test_uncommitted_changes_and_foreign_commits_are_said(published, tmp_path):
    text = (published.path / "results" / "edge" / "figure.svg").read_text()
    (tmp_path / "dirty.svg").write_text(re.sub(r"(dirty[^,]*: )false", r"\1true", text))
    said = facts(whence(tmp_path / "dirty.svg", tmp_path))
    assert said["commit"].endswith(", with uncommitted changes, unknown here")
    assert said["again"].endswith("(but for the uncommitted changes)")


def test_a_figure_made_outside_git_says_so(finished):
    said = facts(whence(finished.path / "results" / "edge" / "figure.png", finished.path))
    assert said["commit"] == "none: made outside git"


def test_a_cube_is_found_in_the_ledger_s_history(published, cube, tmp_path):
    repo = published.copy(tmp_path / "repo")
    entry = read_entry(repo.path, "edge")
    write_entry(repo.path, "edge", {**entry, "cube": "0" * 20})
    repo.commit("Another cube since")
    lines = whence(cube, repo.path)
    said = facts(lines)
    assert said["commit"] == entry["commit"]
    assert said["cube"] == entry["cube"]
    assert said["params"] == entry["params"]
    assert said["code of run"] == entry["code"]["run"]
    assert "its bytes are those that were published" in lines[-1]


def test_a_cube_that_was_not_published_says_so(finished):
    lines = whence(finished.path / "results" / "edge" / "cube.zarr", finished.path)
    assert facts(lines)["commit"] == "unknown: this cube was not published"
    assert "its bytes are those that were written" in lines[-1]


def change(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_changed_cube_is_told_by_file_where_it_was_written(published, tmp_path):
    home = shutil.copytree(published.path / "results" / "edge", tmp_path / "edge")
    name = next(name for name in files_of(home / "cube.zarr") if name.startswith("train_loss/c/"))
    change(home / "cube.zarr" / name)
    with pytest.raises(AtlasError, match=f"study edge, but its bytes are not those that were written: {name}"):
        whence(home / "cube.zarr", published.path)


def test_a_changed_copy_is_told_by_variable(published, cube):
    opened = xr.open_zarr(cube).load()
    opened["train_loss"][0, 0, 0, 0] += 1e-9
    shutil.rmtree(cube)
    write_cube(opened, cube)
    with pytest.raises(AtlasError, match=r"its bytes are none that were published; from cube \w+ differ: train_loss$"):
        whence(cube, published.path)


def test_a_copy_with_other_metadata_alone_is_told_apart(published, cube):
    path = cube / "zarr.json"
    path.write_text(path.read_text().replace("CC-BY-4.0", "mine"))
    with pytest.raises(AtlasError, match=r"but only its numbers are those of the published cube \w+, not its coord"):
        whence(cube, published.path)


def test_a_folder_that_is_no_cube_of_ours_is_one_line(tmp_path):
    with pytest.raises(InputError, match="not a cube of the atlas"):
        whence(tmp_path, tmp_path)
    xr.Dataset({"a": ("x", [1.0])}).to_zarr(tmp_path / "other.zarr", zarr_format=3, consolidated=False)
    with pytest.raises(InputError, match="not a cube of the atlas"):
        whence(tmp_path / "other.zarr", tmp_path)


def test_on_the_command_line_a_foreign_file_is_an_error_of_one_line(published):
    done = published.dlatlas("whence", "Snakefile")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: Snakefile: not a file of the atlas: it carries no signature\n"
    done = published.dlatlas("whence", "results/edge/figure.png")
    assert done.returncode == 0
    assert "snakemake --cores all --config studies=edge" in done.stdout
