"""What holds of every study, with nothing written for it: from its params to its figure, in one process."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from dlatlas.declare.lab import Lab
from dlatlas.judging import verdict as judging
from dlatlas.judging.sample import Sample
from dlatlas.judging.verdict import judge_study
from dlatlas.plotting.draw import draw

LAB = Lab.read(Path(__file__).parents[2])
STUDIES = sorted(LAB.chapters)


@pytest.fixture(scope="module", autouse=True)
def few_draws():
    """Intervals and p-values are judged elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "DRAWS", 49)
        patch.setattr(judging, "SHUFFLES", 19)
        yield


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_runs_to_a_verdict_and_a_figure(name, smoke_cube, tmp_path):
    study, cube = LAB.study(name), smoke_cube(name)
    assert not {2, 3} & set(np.unique(cube["status"]).tolist()), "a run failed or is missing"
    for variable in cube.data_vars.values():
        assert {"units", "long_name", "source"} <= set(variable.attrs)
    record = judge_study(study, cube)
    assert [claim["name"] for claim in record["claims"]] == [claim.name for claim in study.claims]
    for claim in record["claims"]:
        assert claim["control"]["estimate"] is not None, f"{claim['name']}: a control without a value"
        assert claim["estimate"] is not None or claim["verdict"] == "undecided"
        assert claim["quantity"]
        assert "{" not in claim["quantity"]
    svg, png = draw(study, cube, record, tmp_path, "{}")
    assert png.stat().st_size > 10_000
    assert svg.read_text().count('id="axes_') >= max(1, len(study.picture))


def seen(sample: Sample, statistic) -> set[str]:
    """The variables of the cube that a statistic looks at."""
    found = set()
    for leaf in statistic.leaves():
        names = [*leaf.of, *([leaf.along] if leaf.along is not None else [])]
        for of in names:
            found |= {name for name in sample._used(of, sample.cube, sample.theory, {}) if name in sample.cube}
    return found


def planted(cube: xr.Dataset, names: set[str], change) -> xr.Dataset:
    """The cube with the theory's predictions in place of what was measured, a thousandth apart from seed to seed."""
    theory, rng = LAB.study(cube.attrs["study"]).theory(cube), np.random.default_rng(0)
    spread = xr.DataArray(1 + 1e-3 * rng.standard_normal(cube.sizes["seed"]), dims="seed")
    found = {}
    for name in names:
        value = (change(theory[name]) * spread).broadcast_like(cube[name]).transpose(*cube[name].dims)
        found[name] = value.where(np.isfinite(value), cube[name]).assign_attrs(cube[name].attrs)
    return cube.assign(found)


@pytest.mark.parametrize("name", STUDIES)
def test_the_theory_itself_is_allowed_and_its_opposite_is_not(name, smoke_cube):
    study, cube = LAB.study(name), smoke_cube(name)
    theory = study.theory(cube)
    tried = []
    for claim in study.claims:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            names = seen(Sample(cube, theory, study.observables), claim.statistic)
            if not names or not names <= set(map(str, theory.data_vars)) or "seed" not in cube.dims:
                continue
            tried.append(claim.name)
            low, high = claim.expected.bounds()

            def estimate(change, claim=claim, names=names):
                found = planted(cube, names, change)
                return float(claim.statistic.values(Sample(found, study.theory(found), study.observables))[0])

            kept = estimate(lambda value: value)

            def rolled(value, along=claim.shuffle):
                return value.roll({along: 1}) if along in value.dims else value

            others = (
                estimate(rolled),
                estimate(lambda value: 1 / value),
                estimate(lambda value: 2 * value),
                estimate(lambda value: 1000 * value),
                estimate(lambda value: -value),
                estimate(lambda value: value**2),
                estimate(lambda value: 0 * value + 1),
            )
        assert low <= kept <= high, f"{claim.name}: the theory gives {kept}, allowed {claim.expected}"
        assert not all(low <= other <= high for other in others), f"{claim.name}: nothing that was planted is refused"
    if not tried:
        pytest.skip(
            "no claim looks at a variable that the theory predicts under its own name; see the study's own test"
        )


def test_every_study_lies_in_the_folder_of_a_chapter_that_says_what_it_asks():
    for name, chapter in LAB.chapters.items():
        title, story = LAB.story(chapter)
        assert title.endswith("?"), f"{name}: {chapter}"
        assert story


def test_no_study_is_longer_than_a_page_and_a_half():
    lengths = {name: len(LAB.file(name).read_text(encoding="utf-8").splitlines()) for name in STUDIES}
    assert max(lengths.values()) <= 220, {name: length for name, length in lengths.items() if length > 220}
    assert np.median(list(lengths.values())) <= 150, lengths
