"""Results of every study, made up: the page only reads files."""

import dataclasses

import pytest

from dlatlas.planning.plan import Plan


@pytest.fixture
def plan(made_up_plan) -> Plan:
    """A plan whose results exist; a copy, which the test may spoil."""
    return made_up_plan


@pytest.fixture
def renamed(plan):
    """``renamed(title)``: the plan with the first study's title changed."""

    def change(**fields):
        sweep = plan.sweep(plan.names[0])
        sweep.study = dataclasses.replace(sweep.study, **fields)
        return plan

    return change
