"""Two-layer networks of many units as a flow of measures: exact kernels, and the flow for a teacher of one ridge.

Units sigma(x; w) = erf(w.x / sqrt 2) on inputs N(0, I): all expectations are arcsines (Saad & Solla 1995).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def correlation(p: Array, a: Array, b: Array) -> Array:
    """E sigma(x; w) sigma(x; v) from p = w.v, a = |w|^2, b = |v|^2.

    Source: Saad & Solla, Phys. Rev. E 52 (1995) 4225, equation 6; Williams 1998.
    """
    return 2 / np.pi * np.arcsin(p / np.sqrt((1 + a) * (1 + b)))


def excess_risk(w: Array, teacher: float, height: float, scale: float) -> Array:
    """E (height sigma(x; teacher e_1) - scale sum_i sigma(x; w_i))^2 of units ``(run, N, D)``, ``(run,)``."""
    a = np.square(w).sum(-1)
    own = correlation(w @ w.swapaxes(-1, -2), a[..., None], a[..., None, :]).sum((-1, -2))
    cross = correlation(teacher * w[..., 0], a, np.array(teacher**2)).sum(-1)
    return scale**2 * own - 2 * scale * height * cross + height**2 * _power(teacher)


def _power(teacher: float) -> float:
    return float(correlation(np.array(teacher**2), np.array(teacher**2), np.array(teacher**2)))


@dataclass(frozen=True)
class Flow:
    """The limit of many units, at some times.

    Attributes:
        times: ``(time,)``.
        u: the units' components along the teacher, ``(time, node)``.
        r: the lengths of the rest, ``(time, node)``; their directions are uniform.
        mass: of each node, ``(node,)``, sums to one.
        cosines: nodes of the first coordinate of a uniform direction, and ``shares`` their masses, ``(angle,)``.
        risk: excess risk, ``(time,)``.
    """

    times: Array
    u: Array
    r: Array
    mass: Array
    cosines: Array
    shares: Array
    risk: Array

    def predictor(self, x: Array) -> Array:
        """The output at inputs ``(point, D)``, ``(time, point)``."""
        from scipy.special import erf

        aside = np.linalg.norm(x[:, 1:], axis=1)[:, None, None]
        z = self.u[:, None, :, None] * x[:, :1, None] + self.r[:, None, :, None] * aside * self.cosines
        return np.einsum("tpka,k,a->tp", erf(z / np.sqrt(2)), self.mass, self.shares)


@lru_cache(maxsize=8)
def mean_field_flow(
    times: tuple[float, ...],
    *,
    dimension: int,
    teacher: float,
    height: float,
    sd: float,
    nodes: tuple[int, int, int] = (20, 12, 12),
    dt: float = 0.02,
) -> Flow:
    """Solves d rho/dt = 2 div(rho grad Psi), Psi = V + int U rho, rho_0 = N(0, sd^2 I), by quadrature and Runge-Kutta.

    rho stays invariant under rotations that keep the teacher, so a unit is (u, r); products of Gauss rules for N(0, 1),
    for the chi law of r and for the angle make the error of the initial measure fall faster than any power.

    Args:
        times: ascending, from 0; each is reached by whole steps of at most ``dt``.
        dimension: D of inputs and units, at least 4.
        teacher: length of the teacher's weights.
        height: the target is height sigma(x; teacher e_1).
        sd: of the units' initial components.
        nodes: quadrature nodes in u, r and angle.
        dt: largest time step of the fourth-order scheme.

    Source: Mei, Montanari & Nguyen 2018 (arXiv 1804.06561), equation 7 with xi = 1; the reduction derived here.
    """
    from scipy.special import roots_gegenbauer, roots_genlaguerre, roots_hermitenorm

    x, in_u = roots_hermitenorm(nodes[0])
    half, in_r = roots_genlaguerre(nodes[1], (dimension - 3) / 2)
    cosines, shares = roots_gegenbauer(nodes[2], (dimension - 3) / 2)
    u, r = (grid.ravel() for grid in np.meshgrid(sd * x, sd * np.sqrt(2 * half), indexing="ij"))
    mass = np.outer(in_u / in_u.sum(), in_r / in_r.sum()).ravel()
    shares = shares / shares.sum()
    moments = np.stack([shares, shares * cosines], axis=1)  # of the angle, 1 and its cosine

    def velocity(state: Array) -> Array:
        u, r = state
        a = 1 + u**2 + r**2
        root = r[:, None, None] * (r[:, None] * cosines)  # in place: this is where the time goes
        root += np.multiply.outer(u, u)[..., None]
        root *= root
        np.subtract(np.multiply.outer(a, a)[..., None], root, out=root)
        np.sqrt(root, out=root)
        np.divide(1.0, root, out=root)
        one, cosine = np.moveaxis(root @ moments, -1, 0)
        pull_u, pull_r = one @ (mass * u), cosine @ (mass * r)
        back = (u * pull_u + r * pull_r) / a
        cross = height / np.sqrt(a * (1 + teacher**2) - (teacher * u) ** 2)
        to_u, to_r = cross * (teacher - teacher * u * u / a), -cross * teacher * u * r / a
        return 4 / np.pi * np.stack([to_u - pull_u + back * u, to_r - pull_r + back * r])

    def risk(state: Array) -> float:
        u, r = state
        a = u**2 + r**2
        p = u[:, None, None] * u[None, :, None] + r[:, None, None] * r[None, :, None] * cosines
        own = np.einsum("kja,k,j,a->", correlation(p, a[:, None, None], a[None, :, None]), mass, mass, shares)
        cross = mass @ correlation(teacher * u, a, np.array(teacher**2))
        return float(own - 2 * height * cross + height**2 * _power(teacher))

    state = np.stack([u, r])
    path, now = [], 0.0
    for time in times:
        steps = int(np.ceil((time - now) / dt - 1e-9))
        for _ in range(steps):
            h = (time - now) / steps
            k1 = velocity(state)
            k2 = velocity(state + h / 2 * k1)
            k3 = velocity(state + h / 2 * k2)
            k4 = velocity(state + h * k3)
            state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        now = time
        path.append(state)
    whole = np.stack(path)
    risks = np.array([risk(each) for each in path])
    return Flow(np.array(times), whole[:, 0], whole[:, 1], mass, cosines, shares, risks)
