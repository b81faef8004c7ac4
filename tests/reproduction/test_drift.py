import shutil
from pathlib import Path

import pytest

from dlatlas.reproduction.drift import (
    changed_code,
    changed_data,
    changed_libraries,
    changed_params,
    changed_processor,
    changes,
)

ROOT = Path(__file__).parents[2]
STUDY = "catapult_phase"


@pytest.fixture(scope="module")
def was(tmp_path_factory):
    """The files of this checkout that matter, under another name."""
    home = tmp_path_factory.mktemp("was")
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", home / "src", ignore=ignore)
    shutil.copytree(ROOT / "params", home / "params")
    for name in ("data.dvc", "pyproject.toml"):
        shutil.copy(ROOT / name, home)
    return home


@pytest.fixture
def now(was, tmp_path):
    return Path(shutil.copytree(was, tmp_path / "now"))


def edit(root, name, old, new):
    path = root / name
    text = path.read_text()
    assert old in text, f"{name} no longer has {old!r}"
    path.write_text(text.replace(old, new))


def said(drifts):
    return [f"{drift.kind}: {drift.said}" for drift in drifts]


def test_nothing_has_changed_between_equal_trees(was, now):
    assert changes(STUDY, "smoke", was, now) == []


def test_a_weight_initialisation_is_named(was, now):
    path = "src/dltheory/models/two_layer_linear.py"
    edit(now, path, "self.v = nn.Parameter(torch.randn(", "self.v = nn.Parameter(1.001 * torch.randn(")
    found = said(changes(STUDY, "smoke", was, now))
    assert found == ["code: run: dltheory.models.two_layer_linear:TwoLayerLinear changed"]


def test_a_claim_a_measure_and_a_figure_are_told_apart_by_stage(was, now):
    edit(now, "src/dlatlas/judging/verdict.py", "MORE = 1999", "MORE = 1998")
    edit(now, "src/dlatlas/plotting/draw.py", "band = 0.36", "band = 0.37")
    assert said(changed_code(STUDY, was, now)) == [
        "code: verdict: dlatlas.judging.verdict:MORE changed",
        "code: figure: dlatlas.plotting.draw:sign changed",
    ]


def test_comments_docstrings_and_other_studies_are_no_drift(was, now):
    edit(now, "src/dlatlas/judging/verdict.py", "A claim is supported where its rival", "A claim is so where its rival")
    edit(now, "src/dltheory/overparametrization/triple_descent.py", "def theory(", "def theory(x, ")
    edit(now, "src/dlatlas/optimizers/adam.py", "(1 - beta1)", "(1.0 - beta1)")
    assert changes(STUDY, "smoke", was, now) == []


def test_code_that_came_and_went_is_named(was, now):
    edit(now, "src/dlatlas/judging/verdict.py", "CHANCE", "LUCK")
    found = said(changed_code(STUDY, was, now))
    assert "code: verdict: dlatlas.judging.verdict:CHANCE is gone" in found
    assert "code: verdict: dlatlas.judging.verdict:LUCK is new" in found


def test_another_layout_of_the_package_is_no_error(was, now):
    shutil.rmtree(now / "src" / "dlatlas" / "training")
    (now / "src" / "dlatlas" / "verdict.py").write_text("def (")
    assert any("dlatlas.training.build:build is gone" in line for line in said(changed_code(STUDY, was, now)))


def test_a_number_in_a_params_file_is_named_with_both_values(was, now):
    path = now / "params" / "large_lr" / f"{STUDY}.yaml"
    path.write_text("# why\n" + path.read_text())
    assert changed_params(STUDY, "smoke", was, now) == []
    import yaml

    tree = yaml.safe_load(path.read_text())
    tree["scales"]["smoke"].setdefault("fixed", {})["steps"] = 7
    tree["scales"]["cluster"].setdefault("fixed", {})["steps"] = 9
    path.write_text(yaml.safe_dump(tree))
    (found,) = said(changed_params(STUDY, "smoke", was, now))
    assert found.startswith(f"params: params of {STUDY}: scales.smoke.fixed.steps: ")
    assert found.endswith(" → 7")


def test_a_data_set_counts_for_the_studies_that_read_it(was, now):
    edit(now, "data.dvc", "edc0d97792a158db4e4d0bd4c9a1103d", "f" * 32)
    (now / "params" / "reads.yaml").write_text("fixed: {data: digits}\n")
    assert said(changed_data("reads", was, now)) == [
        f"data: data/digits.safetensors: md5 edc0d97792a158db4e4d0bd4c9a1103d → {'f' * 32}"
    ]
    assert changed_data(STUDY, was, now) == []


def test_a_library_is_named_with_both_versions():
    found = changed_libraries(
        {"numpy": "2.3.0", "torch": "2.13.0", "zarr": None}, {"numpy": "2.4.6", "torch": "2.13.0"}
    )
    assert said(found) == ["library: made with numpy 2.3.0, here 2.4.6"]


def test_a_processor_is_named_where_both_are_known():
    assert said(changed_processor("aarch64", "x86_64")) == ["processor: made on aarch64, here x86_64"]
    assert changed_processor(None, "x86_64") == changed_processor("x86_64", "x86_64") == []
