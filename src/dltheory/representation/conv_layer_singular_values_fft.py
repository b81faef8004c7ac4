"""All singular values of a convolutional layer come from small Fourier blocks (Sedghi, Gupta & Long, ICLR 2019).

A layer K (m x m x k x k) with circular padding on n x n images is a matrix M of n^2 m rows. It is doubly block
circulant, so a Fourier transform leaves one m x m block P(u, v) for each of the n^2 frequencies. The same kernel as a
matrix m x m k^2, of norm R, gives only R <= |M| <= k R for n >= k: P(u, v) = R_mat (w (x) I) with |w| = k above; below,
the mean of P P* over the frequencies is R_mat R_mat^T.

Corrections of the catalogue, each checked here:
- "zero padding changes the top singular value by a relative O(k/n)": it is O(1/n^2), as the top singular vector is a
  plane wave under half a period of a sine and the symbol's norm is quadratic at its maximum (Widom 1958; Parter 1961):
  sup |P| (1 - c pi^2 / (n + a)^2). The circular norm misses sup |P|, too, by the distance of the nearest frequency, so
  the gap varies. O(k/n) holds for the whole sorted spectrum: only border rows differ, a share 1 - (1 - (k-1)/n)^2.
- its grid has kernels wider than the image (n = 4, k = 5): they must be wrapped modulo n; fft2(K, [n, n]) crops.
"""

from typing import Any

import numpy as np

from dlatlas import Study, but, choice, claim, count, derived, exchangeable, instead, panel, variable, where
from dlatlas.judging.statistics import average, exponent, largest, most, smallest
from dlatlas.plotting.style import INK
from dltheory.measures.conv_gaps import above, dense_off, norm_gap, padded_off, room, whole_gap
from dltheory.models.conv_kernels import KERNELS
from dltheory.models.conv_spectra import QUANTILES, relative_cost, spectra

WIDE = {"k": (2, None)}  # where padding and reshaping matter
LARGE = "layers of more than `dense_rows` rows"
EVEN = f"{LARGE}, if k is even or 1"
KERNEL_BY_KERNEL = ["k", "m", "kernel"]


def band(axes: Any, cube: Any, theory: Any) -> None:  # noqa: ANN401
    """Between R and k R."""
    k = cube["k"].values
    axes.fill_between(k, 1, k, color=INK, alpha=0.08, linewidth=0)
    axes.plot(k, np.transpose([k, k**0]), color=INK, linewidth=1.0, zorder=2, label=["$R$ and $kR$", None])


STUDY = Study(
    title="A convolution's singular values come from Fourier blocks",
    rows=["conv-layer-singular-values-fft"],
    kind="solve",
    papers=["sedghi2019", "tsuzuku2018", "parter1961"],
    says=(
        "A multichannel convolution with circular padding on n × n images is a matrix of n²m rows. Sedghi, Gupta & "
        "Long show that its singular values are those of n² blocks of size m × m, the Fourier transform of the "
        "kernel. The kernel reshaped to a matrix bounds the norm between R and kR only, and zero padding breaks the "
        "identity: by O(1/n) over the whole spectrum, by O(1/n²) in the norm."
    ),
    formula=(
        r"\sigma(M) = \bigcup_{u,v=0}^{n-1} \sigma\left(P^{(u,v)}\right), \quad "
        r"P^{(u,v)}_{cd} = \sum_{p,q} K_{cdpq}\, e^{2\pi i (up+vq)/n}, \quad R \le \|M\|_2 \le k R"
    ),
    parameters={
        "n": count(8, "side of the image"),
        "m": count(2, "channels, in and out"),
        "k": count(3, "side of the kernel"),
        "kernel": choice("gaussian", KERNELS, "distribution of the kernel"),
        "dense_rows": count(600, "largest matrix whose dense SVD is taken, in rows"),
    },
    shape=["n", "m", "k", "dense_rows"],
    cost=relative_cost,
    solve=spectra,
    variables={
        "fourier": variable("singular values by Fourier blocks", "theorem 6", quantile=QUANTILES),
        "dense": variable("singular values by dense SVD", "circular padding", undefined=LARGE, quantile=QUANTILES),
        "padded": variable("singular values by dense SVD", "zero padding k // 2", undefined=LARGE, quantile=QUANTILES),
        "mismatch": variable("difference of all singular values, dense from Fourier / norm", undefined=LARGE),
        "spectrum_gap": variable("mean difference of spectra, zero-padded from circular / norm", undefined=LARGE),
        "norm": variable("norm of the circular layer", "Fourier blocks"),
        "padded_norm": variable("norm of the zero-padded layer", "dense SVD, else 120 Lanczos steps", EVEN),
        "residual": variable("Lanczos residual of the zero-padded norm", "0 where dense", EVEN),
        "condition": variable("condition number of the circular layer", "Fourier blocks"),
        "reshaped": variable("norm R of the kernel as a matrix m × mk²"),
    },
    theory=lambda cube: cube["reshaped"].to_dataset(name="lower").assign(upper=cube["k"] * cube["reshaped"]),
    observables={
        "dense_off": derived("difference of those kept in the cube / norm", dense_off),
        "padded_off": derived("difference of the zero-padded layer's / norm", padded_off),
        "above": derived("ln(‖M‖/R)", above),
        "room": derived("distance of ln‖M‖ from the nearer of ln R and ln kR", room),
        "ratio": derived("norm over reshaped kernel's", lambda cube, theory: cube["norm"] / theory["lower"]),
        "norm_gap": derived("relative gap of the norm", norm_gap),
        "whole_gap": derived("mean gap of the sorted spectra", whole_gap),
    },
    claims=[
        claim(
            "blocks give all",
            "The n²m singular values are those of n² Fourier blocks, to machine precision; also for k > n.",
            "theorem 6", most(largest("mismatch"), largest("dense_off")) <= 1e-12, rival=exchangeable("seed", "dense"),
            fails=instead("Zero padding breaks it: the same difference, for the kernel with k > 1 that is hurt least.",
                          smallest("padded_off", where=WIDE)),
        ),
        claim(
            "reshaped kernel bounds",
            "R ≤ ‖M‖ ≤ kR, with R the norm of the reshaped kernel, whenever the kernel fits into the image.",
            "tsuzuku2018; lower bound: docstring", smallest("room", where=WIDE) >= -1e-12,
            rival=exchangeable("k", "norm"),
            fails=instead("Without the factor k, R is no upper bound.", -largest("above", where=WIDE)),
        ),
        claim(
            "reshaped kernel is far off",
            "The norm is often far from both bounds: by more than 10 % for more than half of the kernels.",
            "sedghi2019 (often: the median; far: 10 %)",
            average("room", by="median", where=WIDE) >= np.log(1.1), rival=exchangeable("k", "norm"),
            fails=where("For k = 1 the reshaped kernel is the layer, and R = ‖M‖.", k=1),
        ),
        claim(
            "top gap as n⁻²", "Zero padding lowers the norm by a relative O(1/n²), not by the O(k/n) of the catalogue.",
            "parter1961",
            exponent("norm_gap", "n", where={"n": (16, None)}, each=KERNEL_BY_KERNEL).within(-2, 0.3),
            rival=exchangeable("n", "padded_norm"),
            fails=but("The mean gap of the whole sorted spectrum falls like 1/n.", of="whole_gap",
                      where={"n": (8, None)}),
            why="a shift n + a, a ≤ k/2, lifts the exponent by up to 0.3 at n = 16 to 64",
        ),
        claim(
            "spectrum gap as n⁻¹", "The whole sorted spectrum differs by O(1/n), the fraction of rows at the border.",
            "rank of the border rows",
            exponent("whole_gap", "n", where={"n": (8, None)}, each=KERNEL_BY_KERNEL).within(-1, 0.25),
            rival=exchangeable("n", "spectrum_gap"),
            fails=but("The gap of the norm falls like 1/n².", of="norm_gap", where={"n": (16, None)}),
            why="the fraction of border rows is 2b/n (1 - b/2n), b = k - 1",
        ),
    ],
    picture=[
        panel(["padded", "dense"], "fourier", where={"n": 8, "m": 2, "k": 3, "kernel": "gaussian"}, at="runs",
              grey={"y": ["padded"]}, labels={"padded": "zero padding", "dense": "circular"}, legend="upper left",
              title="all singular values", xlabel="from Fourier blocks  $\\sigma$", ylabel="from dense SVD  $\\sigma$",
              draw=lambda axes, *_: axes.axline((0, 0), slope=1, color=INK, linewidth=1.0, zorder=4)),
        panel("ratio", "k", by="kernel", where={"n": 16}, line="", at="median", title="the reshaped kernel",
              ylabel="norm over reshaped kernel's  $\\|M\\|/R$", legend="upper left", draw=band),
        panel(["whole_gap", "norm_gap"], "n", where={"n": (8, None), "m": 1, "k": 3, "kernel": "gaussian"}, log="xy",
              slope=[(-1, "$n^{-1}$"), (-2, "$n^{-2}$")], title="zero padding", legend="lower left",
              ylabel="relative gap, zero-padded from circular",
              labels={"whole_gap": "whole spectrum", "norm_gap": "norm"}),
    ],
    caption=(
        "Left: eight layers (n = 8, m = 2, k = 3) by dense SVD against the Fourier blocks; grey, the zero-padded "
        "control. Middle: the norm over that of the reshaped kernel, between its bounds (medians over kernels, n = "
        "16). Right: what zero padding changes, for m = 1, k = 3 (means over kernels)."
    ),
    about=(
        "The row says that zero padding changes the top singular value by O(k/n): that is right for the whole sorted "
        "spectrum, while the norm changes by O(1/n²). The exponents of the cost are left out: an operation count "
        "would restate the formula, and wall time is not reproducible bit by bit. For orientation, n = 32 and m = 1 "
        "took one core 0.5 s by dense SVD and 0.3 ms by Fourier blocks."
    ),
)  # fmt: skip
