"""A study for tests of failures: each shard is one number, does as `orders/<number>` says, and notes what it did.

An order is carried out once, by the first job that finds it: ``hold`` waits for `release/<number>`, ``gorge`` takes
2 GB and keeps it for a while. ``refuse`` stays, and raises each time.
"""

import os
import time
from pathlib import Path

import numpy as np

from dlatlas import Study, but, claim, count, derived, exchangeable, variable
from dlatlas.judging.statistics import slope

PATIENCE = 150.0
"""Seconds after which a held job goes on, so that no test hangs."""


def solve(stack):
    """Cubes the number, slowly if told so."""
    number = stack["number"]
    order = Path("orders") / str(number)
    said = order.read_text() if order.exists() else ""
    _note("begun", number)
    if said == "refuse":
        raise RuntimeError(f"number {number} refuses")
    order.unlink(missing_ok=True)
    if said == "gorge":
        _gorge()
    if said == "hold":
        end = time.monotonic() + PATIENCE
        while not Path("release", str(number)).exists() and time.monotonic() < end:
            time.sleep(0.2)
    _note("done", number)
    return {"cubed": np.full(len(stack), float(number) ** 3) + stack["seed"]}


def _gorge():
    held = np.ones(250_000_000)
    time.sleep(30)
    return held


def _note(what, number):
    with Path("notes").open("a") as file:  # one short line: appended as a whole
        file.write(f"{what} {number} {os.environ.get('SLURM_JOB_ID', 'here')} {time.time():.1f}\n")


STUDY = Study(
    title="Numbers can be cubed",
    rows=["toil"],
    kind="solve",
    papers=[],
    says="A number can be cubed.",
    formula="n^3",
    parameters={"number": count(1, "the number")},
    shape=["number"],
    solve=solve,
    variables={"cubed": variable("the cube")},
    theory=lambda cube: cube[["cubed"]],
    observables={"fallen": derived("minus the cube", lambda cube, theory: -cube["cubed"])},
    claims=[
        claim(
            "grows", "Cubes grow.", "arithmetic", slope("cubed", "number") >= 0, rival=exchangeable("number"),
            fails=but("Their negatives fall.", of="fallen"),
        ),
    ],
    figure=lambda cube, theory, verdict: None,
    caption="None is drawn.",
)  # fmt: skip
