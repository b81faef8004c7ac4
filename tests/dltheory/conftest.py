"""What the tests of several studies share."""

import pytest

from dlatlas.cubes.cube import with_fixed
from dlatlas.judging.verdict import judge_claim


@pytest.fixture
def outcomes(monkeypatch, lab):
    """``outcomes(study, cube, *claims)``: the verdicts by claim, from few draws; the smallest p-value is 1/40."""
    monkeypatch.setattr("dlatlas.judging.verdict.DRAWS", 59)
    monkeypatch.setattr("dlatlas.judging.verdict.SHUFFLES", 39)

    def of(name, cube, *names):
        study, cube = lab.study(name), with_fixed(cube)
        theory = study.theory(cube)
        chosen = [claim for claim in study.claims if claim.name in names or not names]
        assert len(chosen) == len(names or study.claims)
        return {claim.name: judge_claim(claim, cube, theory, study)["verdict"] for claim in chosen}

    return of
