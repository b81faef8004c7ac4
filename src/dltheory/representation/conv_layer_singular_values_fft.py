"""All singular values of a convolutional layer come from small Fourier blocks (Sedghi, Gupta & Long, ICLR 2019).

A layer K (m x m x k x k) with circular padding on n x n images is a matrix M of n^2 m rows. It is doubly block
circulant, so a Fourier transform leaves one m x m block P(u, v) for each of the n^2 frequencies, and the singular
values of M are those of all the blocks (theorem 6). The same kernel as a matrix m x m k^2, of norm R, gives only
R <= |M| <= k R for n >= k: P(u, v) = R_mat (w (x) I) with |w| = k above; below, the mean of P P* over the
frequencies is R_mat R_mat^T.

Corrections of the catalogue, each checked here:
- "zero padding changes the top singular value by a relative O(k/n)": it is O(1/n^2). The top singular vector is a
  plane wave under a half period of a sine, and the norm of the symbol is quadratic at its maximum (Widom 1958;
  Parter 1961): the zero-padded norm is sup |P| (1 - c pi^2 / (n + a)^2). The circular norm misses the supremum too, by
  the distance of the nearest frequency, so the gap varies from kernel to kernel. O(k/n) holds for the whole sorted
  spectrum: the two matrices differ in the rows of the border alone, a fraction 1 - (1 - (k-1)/n)^2.
- its grid has kernels wider than the image (n = 4, k = 5): they must be wrapped modulo n; fft2(K, [n, n]) crops.
- the exponents of the cost are not a claim here. An operation count would be the formula n^2 m^2 (m + log n) itself,
  and wall time is no reproducible variable of a cube.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.declare.claim import Claim, Control
from dlatlas.declare.parameter import choice, count
from dlatlas.declare.study import Study
from dlatlas.declare.variable import Variable
from dlatlas.judging.statistics import loglog_slope
from dlatlas.judging.verdict import AtLeast, AtMost, Equals

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from torch import Tensor

    from dlatlas.training.stack import Stack

QUANTILES = np.linspace(0.0, 1.0, 33)
"""Ranks at which sorted spectra are kept, from the largest singular value (0) to the smallest (1)."""


def kernels(stack: "Stack") -> "Tensor":
    """One kernel a run, ``(run, m, m, k, k)``, the same for all n: Gaussian, or Gabor filters as trained nets have."""
    import torch

    m, k = stack["m"], stack["k"]
    drawn = []
    for run, kind in enumerate(stack["kernel"]):
        random = stack.generator(run, "kernel", names=("m", "k", "kernel"))
        weights = random.standard_normal((m, m, k, k))
        if (
            kind == "gabor"
        ):  # an oriented wave of random frequency and phase under a Gaussian window, each of random size
            angle, phase = random.uniform(0, 2 * np.pi, (2, m, m, 1, 1))
            wave = random.uniform(0, np.pi / 2, (m, m, 1, 1))
            y, x = np.meshgrid(*2 * [np.arange(k) - (k - 1) / 2], indexing="ij")
            bell = np.exp(-(x**2 + y**2) / (2 * (k / 3) ** 2))
            weights = weights[..., :1, :1] * bell * np.cos(wave * (np.cos(angle) * x + np.sin(angle) * y) + phase)
        drawn.append(torch.from_numpy(weights))
    return torch.stack(drawn)


def solve(stack: "Stack") -> dict[str, NDArray[np.float64]]:
    """Spectra by Fourier blocks, by dense SVD and with zero padding, for one n, m, k; dense up to ``dense_rows``."""
    import torch

    from dlatlas.measures import conv, zero_padding

    n, m, k, runs = stack["n"], stack["m"], stack["k"], len(stack)
    K = kernels(stack)
    fourier = conv.circular_singular_values(K, n)
    ranks = np.rint(QUANTILES * (fourier.shape[1] - 1)).astype(int)
    nothing = torch.full((runs,), torch.nan, dtype=torch.float64)
    out = {"fourier": fourier[:, ranks], "norm": fourier[:, 0], "condition": fourier[:, 0] / fourier[:, -1],
           "reshaped": conv.reshaped_kernel_norm(K), "mismatch": nothing, "spectrum_gap": nothing,
           "padded_norm": nothing, "residual": nothing,
           "dense": nothing[:, None].expand(-1, 33), "padded": nothing[:, None].expand(-1, 33)}  # fmt: skip
    if n * n * m <= stack["dense_rows"]:
        dense = torch.linalg.svdvals(conv.circular_matrix(K, n))
        padded = torch.linalg.svdvals(zero_padding.zero_padded_matrix(K, n))
        out |= {"dense": dense[:, ranks], "mismatch": (dense - fourier).abs().amax(1) / dense[:, 0]}
        out |= {"padded": padded[:, ranks], "spectrum_gap": (padded - fourier).abs().mean(1) / fourier[:, 0]}
        out |= {"padded_norm": padded[:, 0], "residual": torch.zeros(runs)}
    elif k % 2 and k > 1:  # at even k padding changes the image's size; at k = 1 there is nothing to pad
        keys = [stack.key(run) for run in range(runs)]
        out["padded_norm"], out["residual"] = zero_padding.zero_padded_spectral_norm(K, n, keys=keys, steps=120)
    return {name: value.double().numpy() for name, value in out.items()}


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """The two bounds on the norm; the spectrum's own theory is ``fourier``, which needs the kernels."""
    import xarray as xr

    return xr.Dataset({"lower": cube["reshaped"], "upper": cube["k"] * cube["reshaped"]})


def of(data: "xr.Dataset", name: str) -> NDArray[np.float64]:
    """A variable as an array ``(n, k, m, kernel, seed, ...)``."""
    return data[name].transpose("n", "k", "m", "kernel", "seed", ...).values


def distance(cube: "xr.Dataset", name: str) -> NDArray[np.float64]:
    """Largest difference of kept singular values from the Fourier ones, over the norm, ``(n, k, m, kernel, seed)``."""
    return np.abs(of(cube, name) - of(cube, "fourier")).max(-1) / of(cube, "norm")


def sandwich(
    cube: "xr.Dataset", theory: "xr.Dataset", wide: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """ln(|M| / R) and ln(k R / |M|) of every kernel with k > 1 (or k = 1) that fits into the image."""
    k = cube["k"].values
    fits = (cube["n"].values[:, None] >= k) & ((k > 1) == wide)
    norm = np.log(of(cube, "norm")[fits])
    return norm - np.log(of(theory, "lower")[fits]), np.log(of(theory, "upper")[fits]) - norm


def exponent(cube: "xr.Dataset", gap: str, first: int) -> float:
    """Exponent in n >= first of a relative gap averaged over seeds; its mean over kernels, m and odd k > 1.

    Odd k, because zero padding k // 2 then keeps the image's size.
    """
    values = 1 - of(cube, "padded_norm") / of(cube, "norm") if gap == "top" else of(cube, "spectrum_gap")
    n, k = cube["n"].values, cube["k"].values
    means = values.mean(-1)[n >= first][:, (k > 1) & (k % 2 == 1)]
    return float(np.nanmean([loglog_slope(n[n >= first], column) for column in means.reshape(len(means), -1).T]))


def figure(cube: "xr.Dataset", theory: "xr.Dataset", verdict: dict[str, Any]) -> "Figure":
    """Fourier against dense singular values; the norm between its bounds; both gaps against the image's side."""
    from matplotlib.ticker import NullLocator

    from dlatlas.plotting.style import CONTROL, PALETTE, legend, letters, new_figure, points

    figure, (identity, bounds, gaps) = new_figure(columns=3)
    one = cube.sel(n=8, m=2, k=3, kernel="gaussian").isel(seed=0)
    identity.axline((0, 0), slope=1, color=PALETTE[0], label="theory", zorder=1)
    identity.plot(one["fourier"], one["padded"], "s", color=CONTROL, markersize=3.5, label="zero padding")
    identity.plot(one["fourier"], one["dense"], "o", color=PALETTE[1], markersize=4, label="circular")
    identity.set(xlabel="from Fourier blocks  $\\sigma$", ylabel="from dense SVD  $\\sigma$")
    k = cube["k"].values
    bounds.fill_between(k, 1, k, color=PALETTE[0], alpha=0.12, linewidth=0)
    bounds.plot(k, k, color=PALETTE[0], label="$R$ and $kR$")
    bounds.plot(k, np.ones(len(k)), color=PALETTE[0])
    for shift, color, kind in ((-0.06, PALETTE[1], "gaussian"), (0.06, PALETTE[2], "gabor")):
        ratio = (cube["norm"] / theory["lower"]).sel(n=16, kernel=kind).stack(all=("m", "seed"))
        points(bounds, k + shift, ratio.drop_vars(("all", "m", "seed")).rename(all="seed"), color=color, of="median",
               label=f"{kind.title()} kernels")  # fmt: skip
    bounds.set(xlabel="side of the kernel $k$", ylabel="norm over reshaped kernel's  $\\|M\\|/R$", xticks=k)
    n = cube["n"].values[cube["n"].values >= 8]
    near = cube.sel(n=n, m=1, k=3, kernel="gaussian")
    for measured, power, color, label in (
        (near["spectrum_gap"], -1, PALETTE[2], "whole spectrum"),
        (1 - near["padded_norm"] / near["norm"], -2, PALETTE[1], "norm"),
    ):
        points(gaps, n, measured, color=color, label=label)
        level = np.exp(np.nanmean(np.log(measured.mean("seed")) - power * np.log(n)))
        gaps.plot(
            n, level * n.astype(float) ** power, color=color, label=f"$\\propto n^{{{power}}}$, level fitted", zorder=2
        )
    gaps.set(
        xscale="log", yscale="log", xlabel="side of the image $n$", ylabel="relative gap, zero-padded from circular"
    )
    gaps.xaxis.set_minor_locator(NullLocator())
    gaps.set_xticks([8, 16, 32, 64], ["8", "16", "32", "64"])
    for panel in (identity, bounds, gaps):
        legend(panel, fontsize=7)
    letters((identity, bounds, gaps), ("All singular values", "The reshaped kernel", "Zero padding"))
    return figure


FOURIER = Variable("singular values by Fourier blocks", "1", "Sedghi et al. 2019, theorem 6", {"quantile": QUANTILES})

LARGE = "layers of more than `dense_rows` rows"
EVEN = f"{LARGE}, if k is even or 1"

STUDY = Study(
    title="A convolution's singular values come from Fourier blocks",
    rows=("conv-layer-singular-values-fft",),
    kind="solve",
    statement=(
        "A multichannel convolution with circular padding on n × n images is a matrix of n²m rows. Sedghi, Gupta & "
        "Long show that its singular values are those of n² blocks of size m × m, the Fourier transform of the "
        "kernel. The kernel reshaped to a matrix bounds the norm between R and kR only, and zero padding breaks the "
        "identity: by O(1/n) over the whole spectrum, by O(1/n²) in the norm."
    ),
    formula=(
        r"\sigma(M) = \bigcup_{u,v=0}^{n-1} \sigma\left(P^{(u,v)}\right), \quad "
        r"P^{(u,v)}_{cd} = \sum_{p,q} K_{cdpq}\, e^{2\pi i (up+vq)/n}, \quad R \le \|M\|_2 \le k R"
    ),
    papers=("sedghi2019", "tsuzuku2018", "parter1961"),
    parameters={
        "n": count(8, "side of the image"),
        "m": count(2, "channels, in and out"),
        "k": count(3, "side of the kernel"),
        "kernel": choice("gaussian", ("gaussian", "gabor"), "distribution of the kernel"),
        "dense_rows": count(600, "largest matrix whose dense SVD is taken, in rows"),
    },
    shape=("n", "m", "k", "dense_rows"),
    cost=lambda run: (
        0.02 + (run["n"] ** 2 * run["m"] / 600) ** (3 if run["n"] ** 2 * run["m"] <= run["dense_rows"] else 1)
    ),
    solve=solve,
    variables={
        "fourier": FOURIER,
        "dense": Variable("singular values by dense SVD", "1", "circular padding", {"quantile": QUANTILES}, LARGE),
        "padded": Variable("singular values by dense SVD", "1", "zero padding k // 2", {"quantile": QUANTILES}, LARGE),
        "mismatch": Variable("largest difference of all singular values, dense from Fourier / norm", undefined=LARGE),
        "spectrum_gap": Variable("mean difference of spectra, zero-padded from circular / norm", undefined=LARGE),
        "norm": Variable("norm of the circular layer", "1", "Fourier blocks"),
        "padded_norm": Variable("norm of the zero-padded layer", "1", "dense SVD, else 120 Lanczos steps", {}, EVEN),
        "residual": Variable("Lanczos residual of the zero-padded norm", "1", "0 where dense", {}, EVEN),
        "condition": Variable("condition number of the circular layer", "1", "Fourier blocks"),
        "reshaped": Variable("norm R of the kernel as a matrix m × mk²"),
    },
    theory=theory,
    claims=(
        Claim(
            name="blocks give all",
            statement="The n²m singular values are those of n² Fourier blocks, to machine precision; also for k > n.",
            source="Sedghi et al. 2019, theorem 6",
            quantity="largest difference from the dense SVD over the norm [1]",
            statistic=lambda cube, theory: max(np.nanmax(cube["mismatch"].values), np.nanmax(distance(cube, "dense"))),
            expected=AtMost(1e-12),
            control=Control(
                "Zero padding breaks it: the same difference, for the kernel with k > 1 that is hurt least.",
                lambda cube, theory: np.nanmin(distance(cube, "padded")[:, cube["k"].values > 1]),
            ),
            permute="seed",
            shuffled=("dense",),
        ),
        Claim(
            name="reshaped kernel bounds",
            statement="R ≤ ‖M‖ ≤ kR, with R the norm of the reshaped kernel, whenever the kernel fits into the image.",
            source="Tsuzuku et al. 2018; lower bound: docstring",
            quantity="smallest of ln(‖M‖/R) and ln(kR/‖M‖) over all kernels [1]",
            statistic=lambda cube, theory: np.nanmin(np.minimum(*sandwich(cube, theory))),
            expected=AtLeast(-1e-12),
            control=Control(
                "Without the factor k, R is no upper bound: smallest ln(R/‖M‖).",
                lambda cube, theory: -np.nanmax(sandwich(cube, theory)[0]),
            ),
            permute="k",
            shuffled=("norm",),
        ),
        Claim(
            name="reshaped kernel is far off",
            statement="The norm is often far from both bounds: by more than 10 % for more than half of the kernels.",
            source="Sedghi et al. 2019 (often: the median; far: 10 %)",
            quantity="median distance of ln‖M‖ from the nearer of ln R and ln kR [1]",
            statistic=lambda cube, theory: np.nanmedian(np.minimum(*sandwich(cube, theory))),
            expected=AtLeast(np.log(1.1)),
            control=Control(
                "For k = 1 the reshaped kernel is the layer, and R = ‖M‖.",
                lambda cube, theory: np.nanmedian(np.minimum(*sandwich(cube, theory, wide=False))),
            ),
            permute="k",
            shuffled=("norm",),
        ),
        Claim(
            name="top gap as n⁻²",
            statement="Zero padding lowers the norm by a relative O(1/n²), not by the O(k/n) of the catalogue.",
            source="Parter 1961; tolerance: a shift n + a, a ≤ k/2, lifts the exponent by up to 0.3 at n = 16 to 64",
            quantity="exponent in n of the relative gap of the norm [1]",
            statistic=lambda cube, theory: exponent(cube, "top", 16),
            expected=Equals(-2.0, 0.3),
            control=Control(
                "The mean gap of the whole sorted spectrum falls like 1/n.",
                lambda cube, theory: exponent(cube, "all", 8),
            ),
            permute="n",
            shuffled=("padded_norm",),
        ),
        Claim(
            name="spectrum gap as n⁻¹",
            statement="The whole sorted spectrum differs by O(1/n), the fraction of rows at the border.",
            source="rank of the border rows; tolerance: their fraction is 2b/n (1 - b/2n), b = k - 1",
            quantity="exponent in n of the mean gap of the sorted spectra [1]",
            statistic=lambda cube, theory: exponent(cube, "all", 8),
            expected=Equals(-1.0, 0.25),
            control=Control("The gap of the norm falls like 1/n².", lambda cube, theory: exponent(cube, "top", 16)),
            permute="n",
            shuffled=("spectrum_gap",),
        ),
    ),
    figure=figure,
    caption=(
        "Left: a layer (n = 8, m = 2, k = 3) by dense SVD against the Fourier blocks; grey, the zero-padded control. "
        "Middle: the norm over that of the reshaped kernel, between its bounds (medians over kernels and m, n = 16). "
        "Right: what zero padding changes, for m = 1, k = 3 (means over kernels)."
    ),
    about=(
        "The row says that zero padding changes the top singular value by O(k/n): that is right for the whole sorted "
        "spectrum, while the norm changes by O(1/n²). The exponents of the cost are left out: an operation count "
        "would restate the formula, and wall time is not reproducible bit by bit. For orientation, n = 32 and m = 1 "
        "took one core 0.5 s by dense SVD and 0.3 ms by Fourier blocks."
    ),
)
