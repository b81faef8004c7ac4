"""The values of a statistic that a theory allows."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Equals:
    """The statistic lies within ``tolerance`` of ``value``: an equivalence test, both stated in advance."""

    value: float
    tolerance: float

    def miss(self, estimate: float) -> float:
        """How far the estimate is from the theory, in units of the tolerance."""
        return abs(estimate - self.value) / self.tolerance

    def bounds(self) -> tuple[float, float]:
        """The allowed values."""
        return self.value - self.tolerance, self.value + self.tolerance

    def __str__(self) -> str:
        return f"{self.value:.4g} ± {self.tolerance:.2g}"


@dataclass(frozen=True)
class AtLeast:
    """The statistic is ``bound`` or more."""

    bound: float

    def miss(self, estimate: float) -> float:
        """How far the estimate falls short; negative inside."""
        return self.bound - estimate

    def bounds(self) -> tuple[float, float]:
        """The allowed values."""
        return self.bound, math.inf

    def __str__(self) -> str:
        return f"≥ {self.bound:.4g}"


@dataclass(frozen=True)
class AtMost:
    """The statistic is ``bound`` or less."""

    bound: float

    def miss(self, estimate: float) -> float:
        """How far the estimate exceeds the bound; negative inside."""
        return estimate - self.bound

    def bounds(self) -> tuple[float, float]:
        """The allowed values."""
        return -math.inf, self.bound

    def __str__(self) -> str:
        return f"≤ {self.bound:.4g}"


Bounds = Equals | AtLeast | AtMost
