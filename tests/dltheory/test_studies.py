"""What holds of every study, with nothing written for it: from its params to its figure, in one process."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from dlatlas.declare.lab import Lab
from dlatlas.judging import interval
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
        patch.setattr(interval, "DRAWS", 49)
        patch.setattr(judging, "SHUFFLES", 19)
        patch.setattr(judging, "MORE", 19)
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
    for each in record["identities"]:
        assert each["verified"], f"{each['name']}: {each['estimate']}, expected {each['expected']}"
    svg, png = draw(study, cube, record, tmp_path, "{}")
    assert png.stat().st_size > 10_000
    assert svg.read_text().count('id="axes_') >= max(1, len(study.picture))


def compared(statistic) -> bool:
    """Whether a statistic compares what was measured with a prediction."""
    return all("prediction" in leaf.settings for leaf in statistic.leaves())


def planted(sample: Sample, statistic, change) -> float:
    """The statistic if what was measured were a function of the prediction it is compared with."""
    found = {}
    for leaf in statistic.leaves():
        of, prediction = leaf.of[0], leaf.settings["prediction"]
        name = f"theory.{of}" if prediction is None else prediction

        def observable(cube, theory, name=name, like=of):
            measured = sample.look(like, cube, theory)
            value, _ = xr.broadcast(change(sample.look(name, cube, theory)), measured)
            return value.where(np.isfinite(measured))

        found[of] = observable
    return float(statistic.values(Sample(sample.cube, sample.theory, {**sample.observables, **found}))[0])


@pytest.mark.parametrize("name", STUDIES)
def test_the_theory_itself_is_allowed_and_its_opposite_is_not(name, smoke_cube):
    study, cube = LAB.study(name), smoke_cube(name)
    sample = Sample(cube, study.theory(cube), study.observables)
    claims = [claim for claim in study.claims if compared(claim.statistic)]
    if not claims:
        pytest.skip("no claim compares with a prediction: each asks for a bound, an order or a rate")
    for claim in claims:
        low, high = claim.expected.bounds()
        opposites = [lambda value: 2 * value, lambda value: value / 2, lambda value: -value]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kept = planted(sample, claim.statistic, lambda value: value)
            others = [planted(sample, claim.statistic, change) for change in opposites]
        assert low <= kept <= high, f"{claim.name}: the theory gives {kept}, allowed {claim.expected}"
        for other in others:
            assert not low <= other <= high, f"{claim.name}: {other} is allowed, too: {claim.expected}"


def test_every_study_lies_in_the_folder_of_a_chapter_that_says_what_it_asks():
    for name, chapter in LAB.chapters.items():
        title, story = LAB.story(chapter)
        assert title.endswith("?"), f"{name}: {chapter}"
        assert story


def test_no_study_is_longer_than_a_page_and_a_half():
    lengths = {name: len(LAB.file(name).read_text(encoding="utf-8").splitlines()) for name in STUDIES}
    assert max(lengths.values()) <= 220, {name: length for name, length in lengths.items() if length > 220}
    assert np.median(list(lengths.values())) <= 150, lengths
