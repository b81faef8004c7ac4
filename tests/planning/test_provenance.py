import json
import shutil
from types import SimpleNamespace

import pytest
from PIL import Image

from dlatlas.declare.lab import Lab
from dlatlas.errors import InputError
from dlatlas.identity.git import dirty_files
from dlatlas.planning.plan import Plan, Settings
from dlatlas.planning.provenance import entered, provenance, read_signature, signed

NOW = {"commit": "c0ffee", "date": "2026-01-02T03:04:05+00:00", "dirty": False}


def test_a_signature_holds_nothing_of_the_clock():
    made = [signed(provenance("edge", "smoke", {"cube": "abc"}, NOW)) for _ in range(2)]
    assert made[0] == made[1]
    assert json.loads(made[0])["date"] == NOW["date"]
    assert json.loads(made[0])["again"] == "snakemake --cores all --config studies=edge scale=smoke"


def test_a_signature_cannot_end_the_script_that_holds_it(tmp_path):
    nasty = signed(provenance("edge", "smoke", {"cite": "</script><b>"}, NOW))
    assert "</script>" not in nasty
    page = tmp_path / "renamed"
    page.write_text(f'<html><script type="application/json" id="signature">{nasty}</script></html>')
    assert read_signature(page)["cite"] == "</script><b>"


FOREIGN = {
    "empty": b"",
    "text": b"hello",
    "bytes": bytes(range(256)),
    "svg of another program": b"<svg><dc:description>a drawing</dc:description></svg>",
    "json of another program": b'<svg><dc:description>{"a": 1}</dc:description></svg>',
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_that_is_not_ours_is_one_line(tmp_path, kind):
    (tmp_path / "file").write_bytes(FOREIGN[kind])
    with pytest.raises(InputError, match=r"^[^\n]*file: not a file of the atlas: [^\n]*$"):
        read_signature(tmp_path / "file")


def test_a_foreign_and_a_truncated_png_are_told_apart(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (40, 40)).save(path)
    with pytest.raises(InputError, match="it carries no signature"):
        read_signature(path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match="not a whole PNG file"):
        read_signature(path)


def test_a_damaged_signature_is_named(tmp_path):
    (tmp_path / "a.svg").write_text('<svg><dc:description>{"commit": </dc:description></svg>')
    with pytest.raises(InputError, match=r"a\.svg: its signature cannot be read"):
        read_signature(tmp_path / "a.svg")


def test_no_file_is_one_line(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_signature(tmp_path / "none.svg")


def test_every_file_on_which_results_depend_is_compared_with_the_commit(lab):
    plan = Plan(Settings.read({"studies": "catapult_phase"}, lab.root))
    files = {path.relative_to(lab.root).as_posix() for path in entered(plan)}
    expected = {
        "src/dltheory/large_lr/catapult_phase.py", "src/dltheory/theory/catapult.py", "src/dlatlas/training/fit.py",
        "src/dlatlas/plotting/house.mplstyle", "params/large_lr/catapult_phase.yaml", "pyproject.toml", "data.dvc",
        "references.bib",
    }  # fmt: skip
    assert expected <= files
    assert not {name for name in files if name.startswith("results") or name.endswith(".pyc")}
    assert "params/large_lr/break_even_point.yaml" not in files


def test_a_file_beside_the_package_is_compared_with_the_commit(tmp_path, monkeypatch):
    helper = tmp_path / "beside_the_package.py"
    helper.write_text("SCALE = 2\n")
    (tmp_path / "labs_own").mkdir()
    (tmp_path / "labs_own" / "mine.py").write_text("from beside_the_package import SCALE\n")
    monkeypatch.syspath_prepend(tmp_path)
    params, lab = tmp_path / "mine.yaml", Lab(tmp_path, tmp_path / "labs_own")
    settings = SimpleNamespace(pointer=tmp_path / "data.dvc")
    plan = SimpleNamespace(lab=lab, settings=settings, names=("mine",), params={"mine": params})
    assert {helper, params, tmp_path / "labs_own" / "mine.py"} <= set(entered(plan))


def test_params_from_outside_the_checkout_are_no_commit_s(lab, tmp_path):
    shutil.copytree(lab.root / "params", tmp_path / "params")
    plan = Plan(Settings.read({"studies": "catapult_phase", "params": tmp_path / "params"}, lab.root))
    assert str(tmp_path / "params/large_lr/catapult_phase.yaml") in dirty_files(lab.root, entered(plan))
