"""What a statistic is, and what a claim expects of it. `dlatlas.judging.statistics` has those that there are."""

import functools
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from dlatlas.declare.bounds import AtLeast, AtMost, Bounds, Equals

By = Literal["mean", "median", "log mean", "spread", "runs"]
"""How the runs of one setting become one number: mean, median, geometric mean, standard deviation, or not at all."""
Kind = Literal["smooth", "mean", "logarithm", "settings", "runs", "own"]
"""How its interval is found, see `dlatlas.judging.interval`: a smooth function of means; a mean of runs; the
exponential of one; made of one number for each setting; an extreme of all runs; a quantile or the like."""
Of = Any
"""A name, or a function of (cube, theory)."""
Where = Mapping[str, Any]


class Drawn(Protocol):
    """A cube drawn many times, `dlatlas.judging.sample.Sample`."""

    @property
    def draws(self) -> int:
        """How often."""


@dataclass(frozen=True)
class Expectation:
    """A statistic and the values of it that a theory allows."""

    statistic: "Statistic"
    allowed: Bounds


@dataclass(frozen=True)
class Statistic:
    """A number computed from a sample, for each of its draws.

    Attributes:
        of: what is looked at; several where it compares them.
        compute: ``(sample, statistic) -> (draw,)``.
        words: what it is, in words; ``{of}`` stands for the label of what it looks at, ``{}`` for each of its parts.
        where: where it is looked at, see `dlatlas.judging.selection.select`.
        by: how the runs of one setting become one number.
        along: the coordinate, variable or observable on its x axis, if it has one.
        settings: the rest: tolerances, levels, other predictions.
        parts: the statistics that it is made of, if it is made of others.
        units: of the number; "1" for none, "" for those of the observable, or of its first part.
        kind: how its interval is found.
        numbers: ``(sample, statistic) -> (draw, setting), axis``, for those of kind settings: what it is made of; for
            a mean, the truth values of runs, if it is one of those.
        made: ``(statistic, numbers, axis, ends, below, above, whole) -> (low, high)``: its interval from those of its
            numbers, ``ends(probability)`` being ``(low, high)`` of all, and ``whole`` the like of the jackknife.
        limits: beyond which it never is.
        function: for those made of others, of their numbers.
    """

    of: tuple[Of, ...]
    compute: Callable[[Drawn, "Statistic"], NDArray[np.float64]]
    words: str
    where: Where = field(default_factory=dict)
    by: By = "mean"
    along: Of = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple["Statistic | float", ...] = ()
    units: str = "1"
    kind: Kind = "smooth"
    numbers: Callable[[Drawn, "Statistic"], Any] | None = None
    made: Callable[..., tuple[float, float]] | None = None
    limits: tuple[float, float] = (-math.inf, math.inf)
    function: Callable[..., Any] | None = None

    def values(self, sample: Drawn) -> NDArray[np.float64]:
        """The number for each draw, ``(draw,)``; NaN where there is none."""
        with np.errstate(all="ignore"):
            found = np.asarray(self.compute(sample, self), dtype=float)
        return np.broadcast_to(found, sample.draws)

    def changed(self, **settings: Any) -> "Statistic":  # noqa: ANN401
        """The same with some settings changed: ``of``, ``by``, ``along``, or one of its own; of all its parts, too."""
        fields = {name: value for name, value in settings.items() if name in ("by", "along", "where")}
        if "of" in settings:
            of = settings["of"]
            fields["of"] = tuple(of) if isinstance(of, list | tuple) else (of, *self.of[1:])
        own = {name: value for name, value in settings.items() if name in self.settings}
        parts = tuple(part.changed(**settings) if isinstance(part, Statistic) else part for part in self.parts)
        return replace(self, **fields, settings={**self.settings, **own}, parts=parts)

    def moved(self, where: Where) -> "Statistic":
        """The same where some coordinates have other values; of all its parts, too."""
        parts = tuple(part.moved(where) if isinstance(part, Statistic) else part for part in self.parts)
        return replace(self, where={**self.where, **where}, parts=parts)

    def names(self) -> list[str]:
        """Every observable, variable or prediction that it looks at by name."""
        own = [each for each in (*self.of, self.along) if isinstance(each, str)]
        return list(dict.fromkeys(own + [name for part in self.leaves()[1:] for name in part.names()]))

    def leaves(self) -> list["Statistic"]:
        """Itself and all that it is made of."""
        return [self, *(leaf for part in self.parts if isinstance(part, Statistic) for leaf in part.leaves())]

    def __ge__(self, bound: float) -> Expectation:
        return Expectation(self, AtLeast(bound))

    def __le__(self, bound: float) -> Expectation:
        return Expectation(self, AtMost(bound))

    def within(self, value: float, tolerance: float) -> Expectation:
        """At most ``tolerance`` from ``value``: an equivalence test, both stated in advance."""
        return Expectation(self, Equals(value, tolerance))

    def __add__(self, other: "Statistic | float") -> "Statistic":
        return combined(operator.add, "{} + {}", self, other)

    def __sub__(self, other: "Statistic | float") -> "Statistic":
        return combined(operator.sub, "{} - {}", self, other)

    def __rsub__(self, other: float) -> "Statistic":
        return combined(operator.sub, "{} - {}", other, self)

    def __mul__(self, other: "Statistic | float") -> "Statistic":
        return combined(operator.mul, "{} × {}", self, other, units="1" if isinstance(other, Statistic) else "")

    def __truediv__(self, other: "Statistic | float") -> "Statistic":
        return combined(operator.truediv, "{} / {}", self, other, units="1" if isinstance(other, Statistic) else "")

    def __neg__(self) -> "Statistic":
        return combined(operator.neg, "-({})", self)

    def __abs__(self) -> "Statistic":
        return combined(abs, "|{}|", self)

    __rmul__ = __mul__
    __radd__ = __add__


def combined(
    function: Callable[..., Any], words: str, *parts: "Statistic | float", units: Literal["", "1"] = ""
) -> Statistic:
    """A function of the numbers of other statistics; ``{}`` in ``words`` stands for each of them in words.

    It grows or falls in each of them, or is the smallest or largest (``np.minimum``, ``np.maximum``) of all.
    """

    def compute(sample: Drawn, statistic: Statistic) -> NDArray[np.float64]:
        numbers = [part.values(sample) if isinstance(part, Statistic) else part for part in statistic.parts]
        return function(*numbers) if len(numbers) < 3 else functools.reduce(function, numbers)

    return Statistic((), compute, words, parts=parts, units=units, function=function)
