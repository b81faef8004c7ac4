"""Majority vote of signs: noise falls like 1/sqrt(M), and up to half of the workers may lie.

Bernstein, Zhao, Azizzadenesheli & Anandkumar (ICLR 2019): M workers send the signs of their own stochastic gradients,
the server returns the majority, w <- w - lr vote; b of the workers are adversaries. Here f(w) = h |w|^2 / 2 with
Gaussian gradient noise, b = round(share M), at least 1 where share > 0, and results are reported at b/M.

The catalogue says that everything depends on (1 - 2a) sqrt(M), a = b/M, and that training breaks at a = 1/2. That is so
for adversaries that negate (a vote sees nothing of their scale); coin tossers leave (1 - a) sqrt(M) and a = 1. Its
scale attack, x100 with the right sign, does nothing to a vote and does not destroy the mean of many workers: an
adversary sends -10 M g. The slow-down is 1/((1 - 2a) sqrt(M)) only while (1 - 2a) sqrt(M) S << 1, S the signal-to-noise
ratio: a coordinate cannot move faster than lr a step. The theorem's rate needs batches of K, K steps and
lr = sqrt((f_0 - f*)/(|L|_1 K)); its last step but one holds at any batch and lr and is what is tested.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dlatlas.declare.claim import Claim, Control
from dlatlas.declare.parameter import choice, count, number
from dlatlas.declare.study import Study
from dlatlas.declare.variable import Variable
from dlatlas.judging.statistics import loglog_slope
from dlatlas.judging.verdict import AtLeast, AtMost, Equals
from dltheory.theory import majority_vote as vote

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

DRAWS = 200
"""Votes held at one state of one run to count the errors of each coordinate."""

ONE = 0.02
"""The share at which there is exactly one adversary, for up to 50 workers."""

TAIL = 0.75
"""The floor is the mean loss after this part of the run."""


def liars(share: ArrayLike, workers: ArrayLike) -> NDArray[np.int64]:
    """How many of the workers are adversaries: round(share M), at least one where share > 0."""
    share = np.asarray(share, dtype=float)
    return np.where(share > 0, np.maximum(np.rint(share * np.asarray(workers)), 1), 0).astype(int)


def setup(built: Any) -> dict[str, Any]:  # noqa: ANN401
    """The number of adversaries of each run."""
    return {"adversaries": liars(built.stack["share"], built.stack["workers"])}


def measure(trained: Any, stack: Any) -> dict[str, Any]:  # noqa: ANN401
    """Signal-to-noise ratio of every coordinate, and how often the vote of the training's own rule gets it wrong."""
    import torch

    from dlatlas.identity.streams import stream
    from dlatlas.optimizers.majority_vote import AGGREGATORS, sent

    w, h, noise = trained.parameters["w"], trained.buffers["curvature"], trained.buffers["noise"]
    signal = h[:, None] * w
    error = torch.full(w.shape, torch.nan)
    moved = not torch.equal(w, trained.initial["w"])
    for run, key in enumerate(trained.keys if stack["aggregator"] == "vote" else []):
        rng, shape = stream(key, "measure", int(moved)), (int(stack["workers"]), DRAWS, w.shape[1])
        gradients = signal[run] + noise[run] * torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
        coins = torch.from_numpy(rng.random(shape, dtype=np.float32)) if stack["attack"] == "random_sign" else gradients
        received = sent(
            gradients, trained.hyper["adversaries"][run], stack["attack"], coins, trained.hyper["scale"][run]
        )
        error[run] = (AGGREGATORS["vote"](received) != signal[run].sign()).float().mean(0)
    return {"snr": (signal.abs() / noise[:, None]).numpy(), "vote_error": error.numpy()}


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """The lead of the honest, the exact floor of the vote, and the error that the binomial tail predicts."""
    import json

    import xarray as xr

    fixed = json.loads(cube.attrs["fixed"])
    d, lr, noise, steps = (fixed[name] for name in ("d", "lr", "noise", "steps"))
    start = fixed["start"] * np.arange(1, d + 1) / d
    workers, attacks, share = (cube[name].values for name in ("workers", "attack", "share"))
    b = liars(share[None], workers[:, None])
    lead = np.stack([vote.lead(workers[:, None], b, attack) for attack in attacks], axis=1)
    floor, trace_steps = np.full(lead.shape, np.nan), int(fixed["trace_every"]) * np.arange(cube.sizes["trace_step"])
    snr = cube["snr"].sel(aggregator="vote").transpose("workers", "attack", "share", "seed", "step", "coordinate")
    error = np.full(snr.shape, np.nan)
    known: dict[tuple[int, int, bool], float] = {}
    for place in np.ndindex(lead.shape):
        m, attack, liar = int(workers[place[0]]), str(attacks[place[1]]), int(b[place[0], place[2]])
        error[place] = vote.vote_error(m, liar, snr.values[place], attack)
        name = (m, liar, attack == "random_sign")
        if lead[place] > 1e-6 and name not in known:
            path = vote.descent(m, liar, attack, start=start, steps=steps, lr=lr, noise=noise)
            known[name] = float(path[trace_steps[trace_steps >= TAIL * steps]].mean())
        floor[place] = known.get(name, np.nan)
    dims, gap = ("workers", "attack", "share"), fixed["curvature"] / 2 * float((start**2).sum())
    bound = vote.gradient_bound(
        np.abs(lead[:, 0]), gap=gap, steps=steps, lr=lr, noise=noise, d=d, curvature=fixed["curvature"]
    )
    return xr.Dataset(
        {
            "lead": (dims, lead),
            "floor": (dims, floor),
            "vote_error": (snr.dims, error),
            "l1_bound": (("workers", "share"), bound),
            "l1_of_loss": ((), np.sqrt(2 * d * fixed["curvature"])),  # |g|_1 <= sqrt(2 d h f)
            "small_step_floor": ((), d * vote.floor(1.0, lr, noise)),
        },
        coords={name: cube[name] for name in (*dims, "seed")},
    )


def errors(cube: "xr.Dataset", theory: "xr.Dataset", attack: str) -> float:
    """Mean squared z-score of the counted vote errors against the binomial tail for negating adversaries."""
    steps = slice(None) if attack == "negate" else slice(0, 1)  # at the start all attacks see one state
    counted = cube["vote_error"].sel(aggregator="vote", attack=attack).transpose("workers", "share", "seed", ...)
    tail, counted = theory["vote_error"].sel(attack="negate").values[..., steps, :], counted.values[..., steps, :]
    seen = (tail > 0.02) & (tail < 0.98)
    return float(np.mean((counted - tail)[seen] ** 2 / (tail * (1 - tail))[seen]) * DRAWS)


def collapse(cube: "xr.Dataset", theory: "xr.Dataset", attack: str) -> float:
    """Mean distance of the vote's error from Phi(-sqrt(2/pi) (1 - 2 b/M) sqrt(M) S), for S <= 0.2 at the start."""
    start = cube[["vote_error", "snr"]].sel(aggregator="vote", attack=attack).isel(step=0)
    counted = start["vote_error"].transpose("workers", "share", "coordinate", "seed").values.mean(-1)
    snr = start["snr"].isel(workers=0, share=0, seed=0).values
    limit = vote.gaussian_vote_error(theory["lead"].sel(attack="negate").values[..., None], snr)
    return float(np.abs(counted - limit)[..., snr <= 0.2].mean())


def vote_trace(cube: "xr.Dataset", attack: str) -> np.ndarray:
    """Loss of the vote over the run, mean over seeds, ``(workers, share, traced step)``."""
    trace = cube["loss_trace"].sel(aggregator="vote", attack=attack)
    return trace.transpose("workers", "share", "trace_step", "seed").values.mean(-1, dtype=float)


def floors(cube: "xr.Dataset", attack: str) -> np.ndarray:
    """Loss of the vote late in the run, mean over seeds, ``(workers, share)``."""
    trace = vote_trace(cube, attack)
    return trace[..., int(np.ceil(TAIL * trace.shape[-1])) :].mean(-1)


def floor_ratio(cube: "xr.Dataset", theory: "xr.Dataset", attack: str) -> float:
    """Measured / exact floor for negating adversaries, mean over all b < M/2."""
    exact = theory["floor"].sel(attack="negate").values
    return float(np.nanmean(floors(cube, attack) / exact))


def floor_slope(cube: "xr.Dataset", theory: "xr.Dataset", attack: str, lead_of: str) -> float:
    """Exponent of the floor in the lead that belongs to an attack, where that lead and the run's own are positive."""
    own, lead = theory["lead"].sel(attack=attack).values, theory["lead"].sel(attack=lead_of).values
    good = (own > 1e-6) & (lead > 1e-6)
    return loglog_slope(lead[good], floors(cube, attack)[good])


def slow_down(cube: "xr.Dataset", theory: "xr.Dataset", low: float, high: float) -> float:
    """Exponent of the relaxation time, sum of (f_t - f_end) / (f_0 - f_end) over the first half, in the lead."""
    lead, trace = theory["lead"].sel(attack="negate").values, vote_trace(cube, "negate")
    end, half = floors(cube, "negate")[..., None], trace.shape[-1] // 2
    time = ((trace[..., :half] - end) / (trace[..., :1] - end)).sum(-1)
    good = (lead > low) & (lead < high)
    return loglog_slope(lead[good], time[good])


def falls(cube: "xr.Dataset", aggregator: str, attack: str) -> np.ndarray:
    """Whether the loss fell, ``(workers, share, seed)``; a diverged run did not."""
    norm = cube["weight_norm"].sel(aggregator=aggregator, attack=attack).transpose("workers", "share", "seed", "step")
    return norm.values[..., -1] < norm.values[..., 0]


def threshold(cube: "xr.Dataset", _: "xr.Dataset", attack: str) -> float:
    """Fraction of runs whose loss falls if b < M/2 and grows if b > M/2."""
    m = cube["workers"].values[:, None]
    minority = 2 * liars(cube["share"].values[None], m) < m
    return float(np.mean(falls(cube, "vote", attack) == minority[..., None]))


def survives(cube: "xr.Dataset", _: "xr.Dataset", aggregator: str, share: float) -> float:
    """Fraction of runs with adversaries that send -10 M g, up to a share of them, whose loss falls."""
    shares = cube["share"].values
    return float(np.mean(falls(cube, aggregator, "scale")[:, (shares > 0) & (shares <= share)]))


def against_bound(cube: "xr.Dataset", theory: "xr.Dataset", minority: bool) -> float:
    """Largest of (upper estimate of the mean l1 norm of the gradient) / bound over b < M/2, or over b > M/2."""
    norm = float(theory["l1_of_loss"]) * np.sqrt(vote_trace(cube, "negate").mean(-1))
    ratio, lead = norm / theory["l1_bound"].values, theory["lead"].sel(attack="negate").values
    return float(ratio[(lead > 0) == minority].max())


def figure(cube: "xr.Dataset", theory: "xr.Dataset", verdict: dict[str, Any]) -> "Figure":
    """The vote's error against its law, the final loss against the share of adversaries, and its collapse."""
    from dlatlas.plotting.style import CONTROL, legend, letters, new_figure, points, reference, shades

    figure, (left, middle, right) = new_figure(3)
    workers, colors = cube["workers"].values, shades(cube.sizes["workers"])
    start = cube[["vote_error", "snr"]].sel(aggregator="vote").isel(step=0)
    tail = cube["loss_trace"].sel(aggregator="vote").isel(trace_step=slice(int(TAIL * cube.sizes["trace_step"]), None))
    tail = tail.mean("trace_step")
    for attack, marker in (("random_sign", "x"), ("negate", "o")):
        for m, color in zip(workers, colors):
            ink, label = (color, f"M = {m}") if attack == "negate" else (CONTROL, "coin tossers" if m == 5 else None)
            lead = theory["lead"].sel(attack="negate", workers=m).values
            snr = start["snr"].sel(attack=attack, workers=m).isel(share=0, seed=0).values
            error = start["vote_error"].sel(attack=attack, workers=m).mean("seed").transpose("share", "coordinate")
            rows = slice(None) if attack == "negate" else lead < lead.max() / 3
            few = slice(None, None, 4)
            style = {"ms": 3, "mew": 0.7, "color": ink, "zorder": 3 if attack == "negate" else 2}
            left.plot((lead[rows, None] * snr[few]).ravel(), error.values[rows][:, few].ravel(), marker, **style)
            good = lead > 0
            here = tail.sel(attack=attack, workers=m).transpose("share", "seed")
            size = 3.5 if attack == "negate" else 3
            points(right, lead[good], here.isel(share=good), color=ink, marker=marker, markersize=size, label=label)
            if attack == "negate":
                share = liars(cube["share"].values, m) / m
                once = np.unique(share, return_index=True)[1]
                points(middle, share[once], here.isel(share=once), color=color, label=label)
                exact = theory["floor"].sel(attack=attack, workers=m).values
                known = once[np.isfinite(exact[once])]
                middle.plot(share[known], exact[known], color=color, lw=1.2, zorder=2)
    grid = np.linspace(-2.5, 2.5, 101)
    left.plot(grid, vote.gaussian_vote_error(grid, 1.0), color="#222222", lw=1.2, zorder=4)
    left.set(xlim=(-2.5, 2.5), xlabel=r"$(1-2b/M)\sqrt{M}\,S$", ylabel="vote wrong")
    reference(middle, x=0.5)
    lost = cube["status"].sel(aggregator="mean", attack="scale", share=ONE).values == 1
    note = f"one worker\nsends −10 M g:\nmean diverges\nin {100 * lost.mean():.0f} % of runs"
    middle.annotate(note, (0.03, 0.97), xycoords="axes fraction", va="top", fontsize=7, color=CONTROL)
    middle.set(yscale="log", xlabel=r"share of negating workers  $b/M$", ylabel="loss late in the run")
    lead = np.geomspace(0.13, 8, 50)
    right.plot(lead, float(theory["small_step_floor"]) / lead, color="#222222", lw=1.2, zorder=2)
    right.set(xscale="log", yscale="log", xlabel=r"$(1-2b/M)\sqrt{M}$", ylabel="loss late in the run")
    right.set_ylim(0.04, 6)
    right.set_xticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
    right.minorticks_off()
    legend(right, loc="upper right", fontsize=7)
    letters((left, middle, right), ("Binomial tail", "Breaks at one half", "One curve, slope −1"))
    return figure


STUDY = Study(
    title="A majority vote of signs outvotes up to half the workers",
    rows=("signsgd-majority-vote-byzantine",),
    kind="train",
    statement=(
        "M workers send the signs of their own stochastic gradients and the server returns the majority. The vote is "
        "wrong with the probability of a binomial tail, for many workers a function of (1 - 2b/M) √M S alone, S the "
        "signal-to-noise ratio; the noise floor falls like 1/((1 - 2b/M) √M), b < M/2 workers that send negated "
        "gradients do not stop the training, and one worker that sends a large gradient destroys a mean but no vote."
    ),
    formula=(
        r"P(\mathrm{vote\ wrong}) = P\left( Z < \frac{M}{2} \right) \approx \Phi\left( -\sqrt{\frac{2}{\pi}} "
        r"\left( 1 - \frac{2 b}{M} \right) \sqrt{M}\, S \right), \qquad "
        r"Z = \mathrm{Bin}(M - b, p) + \mathrm{Bin}(b, 1 - p)"
    ),
    papers=("bernstein2019", "bernstein2018"),
    parameters={
        "aggregator": choice("vote", ("vote", "mean", "median"), "what the server makes of what the workers send"),
        "attack": choice("negate", ("negate", "random_sign", "scale"), "what an adversary sends"),
        "share": number(0.0, "wanted share of adversaries", low=0.0, high=1.0),
        "adversaries": number(0.0, "number of adversaries; set from share", low=0.0),
        "scale": number(10.0, "an adversary of the scale attack sends minus this times M times its gradient"),
        "d": count(20, "dimension"),
        "curvature": number(1.0, "curvature h of the objective", low=0.0),
        "noise": number(1.0, "standard deviation sigma of each coordinate of a worker's gradient", low=0.0),
        "start": number(1.0, "largest coordinate at the start"),
    },
    shape=("aggregator", "attack", "d"),
    setup=setup,
    measure=measure,
    cost=lambda run: 20.0 + float(run["workers"]),
    variables={
        "snr": Variable("signal-to-noise ratio S of a coordinate", "1", "h|w|/sigma", {"coordinate": None}),
        "vote_error": Variable("votes that are wrong", "1", f"{DRAWS} votes", {"coordinate": None}, "other rules"),
    },
    theory=theory,
    claims=(
        Claim(
            name="vote error is the binomial tail",
            statement="The vote on a coordinate is wrong with probability P(Bin(M-b, p) + Bin(b, 1-p) < M/2).",
            source="Bernstein et al. 2019, proof of theorem 2",
            quantity="mean squared z-score of counted errors, 1 if the tail is exact [1]",
            statistic=errors,
            holds={"attack": "negate"},
            expected=Equals(1.0, 0.1),
            control=Control("Coin tossers err less than this tail.", {"attack": "random_sign"}),
            permute="share",
            shuffled=("vote_error",),
        ),
        Claim(
            name="error collapses on (1-2b/M)√M S",
            statement="For small S and many workers the error depends on b and M through (1-2b/M)√M S alone.",
            source="central limit; tolerance: exact error and limit differ by up to 0.01 at S = 0.2, counts by 0.01",
            quantity="mean |error - Φ(-√(2/π) (1-2b/M)√M S)| for S ≤ 0.2 [1]",
            statistic=collapse,
            holds={"attack": "negate"},
            expected=AtMost(0.02),
            control=Control("Coin tossers do not lie on this curve.", {"attack": "random_sign"}),
            permute="share",
            shuffled=("vote_error",),
        ),
        Claim(
            name="noise floor is that of the chain",
            statement="The vote moves each coordinate by lr up or down; the late loss is that birth-death chain's.",
            source="exact law of the lattice walk, this study; tolerance: sampling",
            quantity="loss late in the run / exact, mean over M and b < M/2 [1]",
            statistic=floor_ratio,
            holds={"attack": "negate"},
            expected=Equals(1.0, 0.07),
            control=Control("Coin tossers leave a lower floor.", {"attack": "random_sign"}),
            permute="share",
            shuffled=("loss_trace",),
        ),
        Claim(
            name="noise floor falls like 1/((1-2b/M)√M)",
            statement="Negating adversaries and few workers raise the noise floor through (1-2b/M)√M alone, inversely.",
            source="Bernstein et al. 2019, theorem 2; finite lr makes the exact exponent -0.98 here",
            quantity="exponent of the late loss in (1-2b/M)√M [1]",
            statistic=floor_slope,
            holds={"attack": "negate", "lead_of": "negate"},
            expected=Equals(-1.0, 0.1),
            control=Control("Coin tossers do not follow (1-2b/M)√M.", {"attack": "random_sign"}),
            permute="share",
            shuffled=("loss_trace",),
        ),
        Claim(
            name="coin tossers count as absent",
            statement="Adversaries that send random signs leave a floor like 1/((1-b/M)√M), finite up to b = M.",
            source="drift (2/π)(1-b/M)√M S of the vote, this study",
            quantity="exponent of the late loss in (1-b/M)√M [1]",
            statistic=floor_slope,
            holds={"attack": "random_sign", "lead_of": "random_sign"},
            expected=Equals(-1.0, 0.1),
            control=Control("Negating adversaries do not follow (1-b/M)√M.", {"attack": "negate"}),
            permute="share",
            shuffled=("loss_trace",),
        ),
        Claim(
            name="slow-down while the vote is a coin toss",
            statement="Where (1-2b/M)√M < 1 the time to relax is inverse to it.",
            source="drift (2/π)(1-2b/M)√M S of the vote; the exact chain gives -0.95 here",
            quantity="exponent of the relaxation time in (1-2b/M)√M < 1 [1]",
            statistic=slow_down,
            holds={"low": 0, "high": 1},
            expected=Equals(-1.0, 0.15),
            control=Control(
                "Above 2 most votes are right and the speed saturates at lr a step.", {"low": 2, "high": np.inf}
            ),
            permute="share",
            shuffled=("loss_trace",),
        ),
        Claim(
            name="training breaks at one half, not before",
            statement="The loss falls for b < M/2 negating adversaries, even (M-1)/2, and grows from (M+1)/2 on.",
            source="Bernstein et al. 2019, theorem 2; the sign of the drift",
            quantity="fraction of runs on the predicted side [1]",
            statistic=threshold,
            holds={"attack": "negate"},
            expected=AtLeast(0.95),
            control=Control("Coin tossers do not break the training at one half.", {"attack": "random_sign"}),
            permute="share",
            shuffled=("weight_norm",),
        ),
        Claim(
            name="scaled gradients do not break the vote",
            statement="A worker that sends -10 M g has one vote: the loss falls with one of them, and with (M-1)/2.",
            source="Bernstein et al. 2019, section 1; Blanchard et al. 2017 for the mean",
            quantity="fraction of runs with 1 to (M-1)/2 such workers whose loss falls [1]",
            statistic=survives,
            holds={"aggregator": "vote", "share": 0.49},
            expected=AtLeast(0.95),
            control=Control(
                "A mean is turned round by ONE such worker, at every M.", {"aggregator": "mean", "share": ONE}
            ),
            permute="share",
            shuffled=("weight_norm",),
        ),
        Claim(
            name="gradient norm obeys the theorem",
            statement="The mean l1 norm of the gradient is at most (f_0-f*)/(lr K) + lr |L|_1/2 + "
            "2|sigma|_1/((1-2b/M)√M).",
            source="Bernstein et al. 2019, proof of theorem 2, before lr and batch are chosen",
            quantity="largest √(2dh mean loss) / bound over M and b < M/2 [1]",
            statistic=against_bound,
            holds={"minority": True},
            expected=AtMost(1.0),
            control=Control("A majority of adversaries exceeds the bound with |1-2b/M|.", {"minority": False}),
            permute="share",
            shuffled=("loss_trace",),
        ),
    ),
    figure=figure,
    caption=(
        "Points: measured, with 95 % intervals over seeds; lines: the binomial tail's limit, the exact chain, and its "
        "small-step limit π lr σ d / (8 (1-2b/M) √M). Grey: adversaries that toss coins, and the mean."
    ),
    about=(
        "The vote errs as the binomial tail says, its floor is that of the exact birth-death chain, and training "
        "holds to b = (M-1)/2 negating workers and breaks at (M+1)/2. The slow-down is undecided: it is inverse "
        "to (1 - 2b/M) √M only while that times S is small, and there the drift is barely larger than its noise "
        "over these seeds. The catalogue's (1 - 2a) √M and threshold 1/2 are for negation only: coin tossers "
        "leave (1 - a) √M and threshold 1; and the mean is lost to one worker of any M only if its scale grows "
        "with M. Networks on data are not part of this study."
    ),
)
