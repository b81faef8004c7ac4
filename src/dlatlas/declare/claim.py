"""A claim: what a theory says, the statistic that tests it, what is allowed, and where it must fail."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlatlas.errors import InputError

if TYPE_CHECKING:
    from dlatlas.declare.bounds import Bounds
    from dlatlas.declare.statistic import Expectation, Statistic


@dataclass(frozen=True)
class Control:
    """A setting in which the theory says that a claim must fail.

    Attributes:
        because: why it must, in a sentence.
        change: what it makes of the claim's statistic.
    """

    because: str
    change: "Callable[[Statistic], Statistic]"


def where(because: str, /, **settings: Any) -> Control:  # noqa: ANN401
    """A control: the claim's statistic where some coordinates have other values.

    Only the coordinates named here change; ``(None, None)`` lifts a restriction.
    """
    return Control(because, lambda statistic: statistic.moved(settings))


def but(because: str, /, **settings: Any) -> Control:  # noqa: ANN401
    """A control: the claim's statistic of another observable or prediction, or with another setting of its own."""
    return Control(because, lambda statistic: statistic.changed(**settings))


def instead(because: str, statistic: "Statistic", /) -> Control:
    """A control: another statistic, judged by the same bounds."""
    return Control(because, lambda _: statistic)


@dataclass(frozen=True)
class Claim:
    """A falsifiable statement about a cube; made by `claim`.

    Attributes:
        name: a few words, unique in the study.
        statement: what the theory says, in one sentence.
        source: paper and theorem or equation, see `dlatlas.declare.study.Study.cited`.
        statistic: what is measured.
        expected: the values of it that support the claim, stated before looking.
        control: the statistic where the claim must fail.
        because: why it must fail there.
        shuffle: the dimension along which the measured values are shuffled for the p-value.
        only: the variables that are shuffled; all that have that dimension when empty.
        why: why the bounds are as wide as they are.
    """

    name: str
    statement: str
    source: str
    statistic: "Statistic"
    expected: "Bounds"
    control: "Statistic"
    because: str
    shuffle: str
    only: tuple[str, ...] = ()
    why: str = ""


def claim(
    name: str,
    statement: str,
    source: str,
    expects: "Expectation",
    *,
    shuffle: str,
    fails: Control,
    only: Sequence[str] = (),
    why: str = "",
) -> Claim:
    """A claim: a statistic compared with what is allowed, its control, and what is shuffled for its p-value.

    Args:
        name: a few words, unique in the study.
        statement: what the theory says, in one sentence.
        source: paper and place in it, e.g. ``"chizat2019, theorem 2.2"``; a place alone is in the study's first paper.
        expects: ``statistic >= bound``, ``statistic <= bound`` or ``statistic.within(value, tolerance)``.
        shuffle: the dimension along which measured values are shuffled, seed by seed.
        fails: `where`, `but` or `instead`, and why.
        only: the variables that are shuffled; all that have that dimension when empty.
        why: why the bounds are as wide as they are, where the source does not say it.

    Raises:
        InputError: a control that changes nothing.
    """
    statistic = expects.statistic
    control = fails.change(statistic)
    if control == statistic:
        raise InputError(f"claim {name!r}: its control changes nothing of the statistic; name a setting that it has")
    return Claim(name, statement, source, statistic, expects.allowed, control, fails.because, shuffle, tuple(only), why)


def settings_in_words(where: Mapping[str, Any]) -> str:
    """A selection of runs in words: ``features = tanh or cos, p of 50 or more``."""
    said = []
    for name, value in where.items():
        if isinstance(value, tuple):
            low, high = value
            if low is None and high is None:
                continue
            if low is None:
                said.append(f"{name} up to {high:g}")
            else:
                said.append(f"{name} of {low:g} or more" if high is None else f"{name} from {low:g} to {high:g}")
        elif isinstance(value, list):
            said.append(f"{name} = {' or '.join(map(str, value))}")
        else:
            said.append(f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}")
    return ", ".join(said)
