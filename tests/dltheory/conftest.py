"""What the tests of several studies share."""

import pytest

from dlatlas.cubes.cube import with_fixed
from dlatlas.judging.verdict import judge_claim


@pytest.fixture
def outcomes(monkeypatch, lab):
    """``outcomes(study, cube, *claims)``: supported, undecided or refuted by claim, however few seeds and draws.

    Refuted is what contradicts a theorem or a paper, or is not reproduced where bounds are ours.
    """
    monkeypatch.setattr("dlatlas.judging.interval.DRAWS", 59)
    monkeypatch.setattr("dlatlas.judging.verdict.SHUFFLES", 39)
    monkeypatch.setattr("dlatlas.judging.verdict.MORE", 39)
    monkeypatch.setattr("dlatlas.judging.verdict.SEEDS", 2)

    def of(name, cube, *names):
        study, cube = lab.study(name), with_fixed(cube)
        theory = study.theory(cube)
        chosen = [claim for claim in study.claims if claim.name in names or not names]
        assert len(chosen) == len(names or study.claims)
        found = {claim.name: judge_claim(claim, cube, theory, study)["verdict"] for claim in chosen}
        return {claim: word if word in ("supported", "undecided") else "refuted" for claim, word in found.items()}

    return of
