"""A claim: what a theory says, the statistic that tests it, what is allowed, where it must fail, and its rival."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

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
class Exchangeable:
    """The rival that a claim's axis does not matter: measured values along it may be exchanged, seed by seed.

    Attributes:
        along: the dimension.
        only: the variables that are shuffled; all that have that dimension when empty.
    """

    along: str
    only: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = f"{' and '.join(self.only)} may" if self.only else "what was measured may"
        return f"{what} be exchanged along {self.along}"


@dataclass(frozen=True)
class Law:
    """The rival under which a claim's statistic is another number, such as another exponent.

    Attributes:
        value: the number.
        says: what the rival says, in a few words.
    """

    value: float
    says: str

    def __str__(self) -> str:
        return self.says


@dataclass(frozen=True)
class Other:
    """A competing theory, judged by the same statistic: it must miss by more.

    Attributes:
        says: what the rival says, in a few words.
        change: what it makes of the claim's statistic, with its own prediction.
    """

    says: str
    change: "Callable[[Statistic], Statistic]"

    def __str__(self) -> str:
        return self.says


Rival = Exchangeable | Law | Other


def exchangeable(along: str, *only: str) -> Exchangeable:
    """The rival that an axis does not matter, see `Exchangeable`; ``only`` these variables are shuffled along it."""
    return Exchangeable(along, only)


def law(value: float, says: str) -> Law:
    """The rival under which the statistic is ``value``: ``law(-1, "the gap falls as 1/n")``."""
    return Law(value, says)


def other(says: str, /, **settings: Any) -> Other:  # noqa: ANN401
    """A competing theory: the claim's statistic of another prediction or observable, see `but`."""
    return Other(says, lambda statistic: statistic.changed(**settings))


Basis = Literal["theorem", "paper", "ours"]
"""Where a claim's bounds come from: the theory itself, what the paper reports, or us."""


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
        rival: what else might be true, and must be excluded.
        basis: where the bounds come from.
        why: why the bounds are as wide as they are.
    """

    name: str
    statement: str
    source: str
    statistic: "Statistic"
    expected: "Bounds"
    control: "Statistic"
    because: str
    rival: Rival
    basis: Basis = "ours"
    why: str = ""


@dataclass(frozen=True)
class Identity:
    """What holds by how the numbers are computed, and fails only by a fault; made by `identity`.

    Attributes:
        name: a few words, unique in the study.
        statement: what holds, in one sentence.
        source: paper and place in it, as of a claim.
        statistic: what is measured.
        expected: the values of it that round-off allows.
    """

    name: str
    statement: str
    source: str
    statistic: "Statistic"
    expected: "Bounds"


def claim(
    name: str,
    statement: str,
    source: str,
    expects: "Expectation",
    *,
    rival: Rival,
    fails: Control,
    basis: Basis = "ours",
    why: str = "",
) -> Claim:
    """A claim: a statistic compared with what is allowed, its rival, and its control.

    Args:
        name: a few words, unique in the study.
        statement: what the theory says, in one sentence.
        source: paper and place in it, e.g. ``"chizat2019, theorem 2.2"``; a place alone is in the study's first paper.
        expects: ``statistic >= bound``, ``statistic <= bound`` or ``statistic.within(value, tolerance)``.
        rival: `exchangeable`, `law` or `other`: what else might be true, and is excluded with p below 0.05.
        fails: `where`, `but` or `instead`, and why.
        basis: where the bounds come from: ``theorem``, ``paper`` (it reports them for this very setting) or ``ours``.
            What lies outside contradicts the first two; outside our own it is not reproduced here.
        why: why the bounds are as wide as they are, where the source does not say it.

    Raises:
        InputError: a control or a rival that changes nothing, or a law that the claim allows.
    """
    statistic = expects.statistic
    control = fails.change(statistic)
    if control == statistic:
        raise InputError(f"claim {name!r}: its control changes nothing of the statistic; name a setting that it has")
    if isinstance(rival, Other) and rival.change(statistic) == statistic:
        raise InputError(f"claim {name!r}: its rival changes nothing of the statistic; name a setting that it has")
    if isinstance(rival, Law):
        low, high = expects.allowed.bounds()
        if low < rival.value < high:
            raise InputError(
                f"claim {name!r}: its rival's value {rival.value:g} is allowed too ({expects.allowed}); no data tell"
            )
    if basis not in get_args(Basis):
        raise InputError(f"claim {name!r}: basis: expected {' or '.join(get_args(Basis))}, found {basis!r}")
    return Claim(name, statement, source, statistic, expects.allowed, control, fails.because, rival, basis, why)


def identity(name: str, statement: str, source: str, expects: "Expectation") -> Identity:
    """What holds by construction, shown apart from claims: it is verified to round-off, and is no evidence.

    Args:
        name: a few words, unique in the study.
        statement: what holds, in one sentence.
        source: paper and place in it, as of a claim.
        expects: as of a claim, as wide as round-off.
    """
    return Identity(name, statement, source, expects.statistic, expects.allowed)


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
