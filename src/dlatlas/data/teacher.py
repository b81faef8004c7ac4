"""Teacher and student: targets from a single-index model, or from a committee of several hidden units."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlatlas.data.dataset import Dataset, Online
from dlatlas.data.directions import directions
from dlatlas.errors import InputError, unknown


def _erf(t: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import erf

    return erf(t / np.sqrt(2))


# The Hermite polynomials have unit norm under N(0, 1); their number is their information exponent.
LINKS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "linear": lambda t: t,
    "relu": lambda t: np.maximum(t, 0),
    "tanh": np.tanh,
    "erf": _erf,
    "sign": np.sign,
    "hermite2": lambda t: (t**2 - 1) / np.sqrt(2),
    "hermite3": lambda t: (t**3 - 3 * t) / np.sqrt(6),
    "hermite4": lambda t: (t**4 - 6 * t**2 + 3) / np.sqrt(24),
}


def single_index_teacher(
    *,
    folder: Path,
    generator: np.random.Generator,
    n_train: int = 1000,
    inputs: int = 50,
    n_test: int = 1000,
    link: str = "relu",
    noise: float = 0.0,
    sphere: bool = False,
    online: bool = False,
) -> Dataset | Online:
    """Targets ``phi(<w*, x>) + noise z`` with a unit teacher w* and z standard normal.

    Source: Ben Arous, Gheissari & Jagannath (JMLR 2021, arXiv 2003.10409), who call the number of phi's first
    Hermite polynomial its information exponent. Test targets have no noise.

    Args:
        folder: the data folder; not read.
        generator: the run's data stream; draws the teacher (`directions`), the test set, then the training set.
        n_train: training examples; without meaning if ``online``.
        inputs: dimension d of the inputs.
        n_test: test examples.
        link: phi, a key of ``LINKS``.
        noise: standard deviation of the noise on the training targets.
        sphere: inputs uniform on the sphere of radius sqrt(d) instead of N(0, I).
        online: every training batch is drawn anew.

    Returns:
        Inputs ``(n, inputs)`` and targets ``(n, 1)``, float64.

    Raises:
        InputError: ``link`` is unknown.
    """
    return _taught("single_index_teacher", generator, (n_train, n_test), inputs, 1, link, noise, sphere, online)


def two_layer_teacher(
    *,
    folder: Path,
    generator: np.random.Generator,
    n_train: int = 1000,
    inputs: int = 50,
    n_test: int = 1000,
    teacher_width: int = 2,
    link: str = "erf",
    noise: float = 0.0,
    sphere: bool = False,
    online: bool = False,
) -> Dataset | Online:
    """Targets ``k^(-1/2) sum_j phi(<w*_j, x>) + noise z`` with k orthonormal w*_j and z standard normal.

    Source: the soft committee machine of Saad & Solla (Phys. Rev. E 1995), here divided by sqrt(k) so that the
    targets stay of order one; its ``erf`` is erf(t / sqrt 2). Test targets have no noise.

    Args:
        folder: the data folder; not read.
        generator: the run's data stream; draws the teacher (`directions`), the test set, then the training set.
        n_train: training examples; without meaning if ``online``.
        inputs: dimension d of the inputs.
        n_test: test examples.
        teacher_width: k, hidden units of the teacher, at most d.
        link: phi, a key of ``LINKS``.
        noise: standard deviation of the noise on the training targets.
        sphere: inputs uniform on the sphere of radius sqrt(d) instead of N(0, I).
        online: every training batch is drawn anew.

    Returns:
        Inputs ``(n, inputs)`` and targets ``(n, 1)``, float64.

    Raises:
        InputError: ``link`` is unknown, or ``teacher_width`` is not from 1 to d.
    """
    name = "two_layer_teacher"
    if not 1 <= teacher_width <= inputs:
        raise InputError(f"{name}: teacher_width: expected 1 to {inputs} (inputs), found {teacher_width}")
    return _taught(name, generator, (n_train, n_test), inputs, teacher_width, link, noise, sphere, online)


def _taught(
    name: str,
    generator: np.random.Generator,
    sizes: tuple[int, int],
    inputs: int,
    width: int,
    link: str,
    noise: float,
    sphere: bool,
    online: bool,
) -> Dataset | Online:
    if link not in LINKS:
        raise unknown(f"{name}: link", "function", link, LINKS)
    w, phi = directions(generator, inputs, width), LINKS[link]

    def draw(
        generator: np.random.Generator, n: int, noise: float = noise
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        x = generator.standard_normal((n, inputs))
        if sphere:
            x *= np.sqrt(inputs) / np.linalg.norm(x, axis=1, keepdims=True)
        y = phi(x @ w.T).sum(axis=1, keepdims=True) / np.sqrt(width)
        return x, y + noise * generator.standard_normal((n, 1))

    n_train, n_test = sizes
    x_test, y_test = draw(generator, n_test, noise=0.0)
    return Online(draw, x_test, y_test) if online else Dataset(*draw(generator, n_train), x_test, y_test)
