"""The runs that are computed together, as a study sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dlatlas.declare.parameter import Value
from dlatlas.declare.sweep import StackPlan, Sweep
from dlatlas.identity.content import canonical
from dlatlas.identity.streams import stream

FROZEN, TRAINED, WITHOUT_GRADIENT = range(3)
"""What ``trained/<parameter>`` says of a parameter of a run."""


@dataclass(frozen=True)
class Stack:
    """Runs of one shape.

    Attributes:
        runs: the hyper-parameters of each run, defaults filled in.
        shared: those that all of them share because they change shapes or code paths.
        folder: where the prepared data sets are.
        late: hyper-parameters that the study got after its first results, and their defaults.
        things: where its model, data set, loss and update rule live, as ``module:definition`` (kind train).
    """

    runs: Sequence[Mapping[str, Value]]
    shared: Mapping[str, Value]
    folder: Path
    late: Mapping[str, Value] = field(default_factory=dict)
    things: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401
        """A shared hyper-parameter as it is, any other as an array ``(run,)``."""
        if name in self.shared:
            return self.shared[name]
        return np.array([run[name] for run in self.runs])

    def key(self, run: int, names: Sequence[str] = ()) -> str:
        """What names the random draws of one run: all its hyper-parameters, or only those in ``names`` and its seed.

        Runs that agree in ``names`` and seed then share their draws (common random numbers). Late hyper-parameters at
        their defaults are left out: draws stay what they were.
        """
        values = {n: v for n, v in self.runs[run].items() if n not in self.late or v != self.late[n]}
        return canonical({name: values[name] for name in (*names, "seed") if name in values} if names else values)

    def generator(self, run: int, name: str = "draws", names: Sequence[str] = ()) -> np.random.Generator:
        """The random generator of one run; see ``key`` for ``names``."""
        return stream(self.key(run, names), name)


def stack_of(sweep: Sweep, plan: StackPlan, folder: Path) -> Stack:
    """The runs of a plan, with the prepared data sets in ``folder``."""
    runs, shared = sweep.runs(plan.index), sweep.shared(plan)
    return Stack(runs, shared, folder, sweep.late, sweep.things(shared))
