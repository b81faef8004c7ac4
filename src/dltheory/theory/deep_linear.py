"""Gradient flow of a product of N balanced matrices on (1/2)|P(W) - y|^2."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def singular_value_rates(product: Floats, slope: Floats, factors: int, modes: int) -> Floats:
    """ds_r/dt = -N (s_r^2)^(1 - 1/N) <grad L(W), u_r v_r'> of the largest singular values, ``(mode,)``.

    NaN where a value is within 1 % of a neighbour: the singular vectors are then not determined.

    Args:
        product: W ``(d, d)``.
        slope: gradient of the loss in W.
        factors: N.
        modes: how many.

    Source: Arora, Cohen, Hu & Luo 2019, theorem 3; rederived from the end-to-end flow of balanced factors.
    """
    u, s, vt = np.linalg.svd(product)
    inner = np.einsum("ir,ij,rj->r", u[:, :modes], slope, vt[:modes])
    rates = -factors * (s[:modes] ** 2) ** (1 - 1 / factors) * inner
    above = np.concatenate([[np.inf], s[: modes - 1]])
    apart = (s[:modes] - s[1 : modes + 1] > 0.01 * s[:modes]) & (above - s[:modes] > 0.01 * s[:modes])
    return np.where(apart, rates, np.nan)


def eigenvalue_path(times: ArrayLike, target: float, scale: float, factors: int) -> Floats:
    """Solution of ds/dt = N s^(2 - 2/N) (target - s), s(0) = scale, at each time; integrated to 1e-10.

    Source: Chou, Gieshoff, Maly & Rauhut 2024, for identical factors and a positive semi-definite target.
    """
    from scipy import integrate

    def slope(t: float, s: Floats) -> Floats:
        return factors * np.abs(s) ** (2 - 2 / factors) * (target - s)

    times = np.asarray(times, dtype=float)
    span = (0.0, float(times.max()))
    found = integrate.solve_ivp(slope, span, [scale], t_eval=times, method="LSODA", rtol=1e-10, atol=1e-14)
    return found.y[0]


def effective_rank(singular: Floats) -> float:
    """Exp of the entropy of s_r / sum s (Roy & Vetterli 2007), from 1 to d."""
    share = singular / singular.sum()
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))


def nuclear_minimum(mask: Floats, values: Floats, steps: int = 4000, weight: float = 1.0) -> Floats:
    """The matrix of least nuclear norm with these entries, by the alternating direction method of multipliers.

    Args:
        mask: ones where an entry is given ``(d, d)``.
        values: the entries, zero elsewhere.
        steps: at most; it stops earlier when nothing changes by more than 1e-9.
        weight: of the penalty that ties the two copies.
    """
    low, dual = values.copy(), np.zeros_like(values)
    for _ in range(steps):
        exact = np.where(mask > 0, values, low - dual)
        u, s, vt = np.linalg.svd(exact + dual, full_matrices=False)
        new = (u * np.maximum(s - 1 / weight, 0)) @ vt
        dual = dual + exact - new
        if np.abs(new - low).max() < 1e-9 and np.abs(exact - new).max() < 1e-7:
            break
        low = new
    return exact
