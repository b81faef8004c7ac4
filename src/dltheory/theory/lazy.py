"""The linearisation of a two-layer tanh network at its initialisation, and its gradient descent in closed form.

f(x) = (alpha / N) sum_i a_i tanh(w_i . x) less its value at initialisation, alpha = N^p: p = 0 is the mean-field
scaling (Mei, Montanari & Nguyen 2018), p = 1/2 that of the tangent kernel (Jacot, Gabriel & Hongler 2018). The clock:
the loss is divided by alpha^2 and the step size multiplied by N, lr = rate N / alpha^2, so that the kernel that drives
f in the time rate x steps is of order 1 for every alpha and N (Chizat, Oyallon & Bach 2019).

What follows. A unit moves by -(1/alpha) a_i <r tanh'(w_i . x) x>: by 1/alpha. First-order changes of kernel and
output are odd in a_i, so they average to a fluctuation 1/(alpha sqrt N); second-order ones leave 1/alpha^2. Both are
1/N at alpha = sqrt N, and beyond it the fluctuation, 1/alpha at fixed N, is left.
"""

import numpy as np
from numpy.typing import NDArray


def two_layer_kernel(
    x: NDArray[np.float64], z: NDArray[np.float64], w: NDArray[np.float64], a: NDArray[np.float64], moves: float = 1.0
) -> NDArray[np.float64]:
    """Tangent kernel of ``N^(-1/2) sum_i a_i tanh(w_i . x)`` between two sets of inputs.

    Args:
        x: ``(n, d)``.
        z: ``(m, d)``.
        w: ``(N, d)``.
        a: ``(N,)``.
        moves: 1, or 0 where only a is trained.

    Returns:
        ``(n, m)``: the mean over units of ``h h' + moves a^2 (1 - h^2)(1 - h'^2) x . z`` with ``h = tanh(w . x)``.
    """
    h, k = np.tanh(x @ w.T), np.tanh(z @ w.T)
    kernel = h @ k.T
    if moves:
        kernel += moves * (x @ z.T) * (((1 - h**2) * a**2) @ (1 - k**2).T)
    return kernel / len(a)


def linearised_descent(
    kernel: NDArray[np.float64],
    cross: NDArray[np.float64],
    y: NDArray[np.float64],
    rate: float,
    steps: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Outputs on other inputs after gradient descent on the half mean squared error of a linearised network.

    The linearised network starts at 0 and its kernel K is fixed, so after t steps the residual on the inputs is
    ``-(I - rate K / n)^t y`` and the output elsewhere ``K' K^(-1) [I - (I - rate K / n)^t] y``, exactly.

    Args:
        kernel: K, ``(n, n)``.
        cross: K', ``(m, n)``, between the other inputs and these.
        y: targets ``(n,)``.
        rate: step size of the network with this kernel; it descends below 2n over the top eigenvalue.
        steps: numbers of updates ``(t,)``.

    Returns:
        ``(t, m)``.

    Source: Jacot, Gabriel & Hongler 2018 (arXiv 1806.07572), section 5, with steps in place of flow.
    """
    values, vectors = np.linalg.eigh(kernel)
    values = np.maximum(values, 1e-15 * values[-1])
    each, steps = rate * values / len(y), np.asarray(steps)[:, None]
    # The power alone would lose small eigenvalues, the logarithm those above 1, whose residual changes sign.
    slow = -np.expm1(np.log1p(-np.minimum(each, 0.5)) * steps)
    learnt = np.where(each < 0.5, slow, 1 - (1 - each) ** steps) / values
    return (learnt * (vectors.T @ y)) @ (cross @ vectors).T
