"""The unconstrained-features model: classifier and features are free, min |W H + b - Y|^2 / 2N + penalties.

Source: Tirer & Bruna 2022, equations 2 and 3 (1/2 in front of the loss and of both penalties); the bias is free of
penalty (their section 4).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlatlas.measures.neural_collapse import class_means

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Features:
    """A problem: sizes of the classes, feature dimension, penalties, bias.

    Attributes:
        sizes: examples of each class.
        dim: d.
        weight_penalty: lambda_W.
        feature_penalty: lambda_H.
        bias: whether b is trained.
    """

    sizes: tuple[int, ...]
    dim: int
    weight_penalty: float
    feature_penalty: float
    bias: bool = False

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of each example, ``(N,)``."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def targets(self) -> Floats:
        """One-hot targets ``(class, N)``."""
        return np.eye(len(self.sizes))[:, self.labels]

    def unpack(self, packed: Floats) -> tuple[Floats, Floats, Floats]:
        """W ``(class, d)``, H ``(d, N)`` and b ``(class,)`` from one vector."""
        k, n = len(self.sizes), sum(self.sizes)
        cut = k * self.dim, k * self.dim + self.dim * n
        W, H = packed[: cut[0]].reshape(k, self.dim), packed[cut[0] : cut[1]].reshape(self.dim, n)
        return W, H, packed[cut[1] :] if self.bias else np.zeros(k)

    def objective(self, packed: Floats) -> tuple[float, Floats]:
        """The objective and its gradient."""
        W, H, b = self.unpack(packed)
        n = sum(self.sizes)
        rest = W @ H + b[:, None] - self.targets
        value = (rest**2).sum() / (2 * n) + self.weight_penalty / 2 * (W**2).sum()
        slopes = [rest @ H.T / n + self.weight_penalty * W, W.T @ rest / n + self.feature_penalty * H]
        slopes += [rest.sum(1) / n] if self.bias else []
        return float(value + self.feature_penalty / 2 * (H**2).sum()), np.concatenate([s.ravel() for s in slopes])

    def minimise(self, rng: np.random.Generator, scale: float = 0.1) -> tuple[Floats, Floats, Floats]:
        """W, H and b at a minimum, by L-BFGS from a Gaussian start."""
        from scipy import optimize

        size = len(self.sizes) * self.dim + self.dim * sum(self.sizes)
        start = np.concatenate([scale * rng.standard_normal(size), np.zeros(len(self.sizes) * self.bias)])
        options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 0.0, "gtol": 1e-10, "maxcor": 30}
        found = optimize.minimize(self.objective, start, jac=True, method="L-BFGS-B", options=options)
        return self.unpack(found.x)

    def flow(self, W: Floats, H: Floats, times: Floats, train_weights: bool) -> tuple[list[Floats], list[Floats]]:
        """W and H along gradient flow without bias, at each time, by an adaptive Runge-Kutta method (rtol 1e-9)."""
        from scipy import integrate

        free = Features(self.sizes, self.dim, self.weight_penalty, self.feature_penalty)
        moving = np.concatenate([np.full(W.size, float(train_weights)), np.ones(H.size)])

        def slope(t: float, packed: Floats) -> Floats:
            return -moving * free.objective(packed)[1]

        start = np.concatenate([W.ravel(), H.ravel()])
        path = integrate.solve_ivp(slope, (0, times[-1]), start, t_eval=times, method="DOP853", rtol=1e-9, atol=1e-12)
        pieces = [free.unpack(column) for column in path.y.T]
        return [piece[0] for piece in pieces], [piece[1] for piece in pieces]

    def decay(self, W: Floats, H: Floats, until: float) -> Floats:
        """Mean decay of the features about their class means in that time, by right singular vector of the fixed W."""
        _, (_, later) = self.flow(W, H, np.array([0.0, until]), train_weights=False)
        start, end = (self._spread(np.linalg.svd(W)[2] @ features) for features in (H, later))
        return np.log(start / end) / until

    def scatter(self, W: Floats, H: Floats, times: Floats) -> tuple[Floats, Floats]:
        """Traces of the features' covariance within and between classes along the flow of both, at each time."""
        _, path = self.flow(W, H, times, train_weights=True)
        found = [class_means(features.T, self.labels, len(self.sizes)) for features in path]
        return tuple(np.array([np.trace(each) for each in part])
                     for part in zip(*[(means.within, means.between) for means in found]))  # fmt: skip

    def _spread(self, features: Floats) -> Floats:
        means = class_means(features.T, self.labels, len(self.sizes)).means
        return np.linalg.norm(features - means[self.labels].T, axis=1)


def problem(classes: int, n: int, dim: int, c: float, ratio: float, bias: bool, skewed: bool) -> Features:
    """The problem with c = K sqrt(n lambda_W lambda_H) of the mean class, and lambda_H / lambda_W.

    Args:
        classes: K.
        n: examples of each class; where they are skewed, 2n of the first and half as many of each next one, 2 at least.
        dim: dimension of the features.
        c: of the mean class.
        ratio: lambda_H / lambda_W.
        bias: whether there is one.
        skewed: whether classes differ in size.
    """
    sizes = tuple(max(2, round(2.0 ** (1 - k) * n)) if skewed else n for k in range(classes))
    product = c / classes / np.sqrt(sum(sizes) / classes)
    return Features(sizes, dim, product / np.sqrt(ratio), product * np.sqrt(ratio), bias)
