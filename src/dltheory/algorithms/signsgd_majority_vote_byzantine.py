"""Majority vote of signs: noise falls like 1/sqrt(M), and up to half of the workers may lie.

The objective is f(w) = h |w|^2 / 2 with Gaussian gradient noise; b of M workers are adversaries.

Corrections of the catalogue:
- all depends on (1 - 2a) sqrt(M), a = b/M, and training breaks at a = 1/2, for adversaries that negate (a vote sees
  nothing of their scale); coin tossers leave (1 - a) sqrt(M) and a = 1.
- its scale attack, x100 with the right sign, does nothing to a vote and does not destroy the mean of many workers: an
  adversary sends -10 M g.
- the slow-down is 1/((1 - 2a) sqrt(M)) only while that times the signal-to-noise ratio S is small: a coordinate cannot
  move faster than lr a step.
- the theorem's rate needs batches of K, K steps and lr = sqrt((f_0 - f*)/(|L|_1 K)); its last step but one holds at any
  batch and lr and is what is tested.
"""

from typing import TYPE_CHECKING

import numpy as np

from dlatlas import Study, but, choice, claim, count, derived, exchangeable, number, panel, variable, where
from dlatlas.judging.statistics import average, exponent, statistic
from dltheory.measures.relaxation import relaxation_exponent
from dltheory.measures.wrong_votes import DRAWS, wrong_votes
from dltheory.theory import majority_vote as vote

if TYPE_CHECKING:
    import xarray as xr

TAIL = 0.75
"""The floor is the mean loss after this part of the run."""
NEGATED, TOSSED = {"aggregator": "vote", "attack": "negate"}, {"aggregator": "vote", "attack": "random_sign"}
FEW = {"step": 0, "coordinate": [2, 5, 8]}


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """With b negating adversaries: binomial tail and its limit, late loss, and a bound on the mean loss."""
    import xarray as xr

    lr, noise, h, steps, d = (cube[name].item() for name in ("lr", "noise", "curvature", "steps", "d"))
    start = cube["start"].item() * np.arange(1, d + 1) / d
    late = cube["trace_step"].values[cube["trace_step"].values >= TAIL * steps]
    walk = {"at": late, "start": start, "steps": steps, "lr": lr, "noise": noise, "curvature": h}
    M, b = cube["workers"], vote.liars(cube["share"], cube["workers"])
    snr = cube["snr"].sel(aggregator="vote", attack="negate", drop=True)
    lead, tail = vote.lead(M, b), xr.apply_ufunc(vote.vote_error, M, b, snr)
    argument = lead * snr.isel(seed=0, step=0, drop=True)
    bound = vote.gradient_bound(abs(lead), gap=h / 2 * start @ start, steps=steps, lr=lr, noise=noise, d=d, curvature=h)
    return xr.Dataset({
        "part": b / M, "lead": lead, "coin_lead": vote.lead(M, b, "random_sign"),
        "loss_bound": bound**2 / (2 * d * h),  # of the mean |g|_1, which is at most sqrt(2 d h f)
        "late": xr.apply_ufunc(vote.mean_loss, M, b, kwargs=walk),
        "small_steps": d * vote.floor(lead.where(lead > 0), lr, noise),
        "tail": tail.where((tail > 0.02) & (tail < 0.98)), "variance": tail * (1 - tail) / DRAWS,
        "argument": argument, "limit": vote.gaussian_vote_error(argument, 1.0),
    })  # fmt: skip


def late(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """The loss late in the run."""
    trace = cube["loss_trace"].astype(float)
    return trace.isel(trace_step=slice(int(np.ceil(TAIL * trace.sizes["trace_step"])), None)).mean("trace_step")


def falls(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Whether the loss falls; that of a run that diverged does not."""
    return cube["weight_norm"].isel(step=-1) < cube["weight_norm"].isel(step=0)


def worst(loss: "xr.DataArray", bound: "xr.DataArray", lead: "xr.DataArray", side: str) -> "xr.DataArray":
    """The largest root of loss over bound where b < M/2, or > M/2."""
    return np.sqrt((loss / bound).where(lead > 0 if side == "<" else lead < 0).max(["workers", "share"]))


STUDY = Study(
    title="A majority vote of signs outvotes up to half the workers",
    rows=["signsgd-majority-vote-byzantine"],
    kind="train",
    papers=["bernstein2019", "bernstein2018"],
    says=(
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
    shape=["aggregator", "attack", "d"],
    setup=lambda built: {"adversaries": vote.liars(built.stack["share"], built.stack["workers"])},
    measure=wrong_votes,
    cost=lambda run: 20.0 + float(run["workers"]),
    variables={
        "snr": variable("signal-to-noise ratio S of a coordinate", "h|w|/sigma", coordinate=None),
        "vote_error": variable("share of wrong votes", f"{DRAWS} votes", "other rules", coordinate=None),
    },
    theory=theory,
    observables={
        "squared_z": derived("squared z-score of counted errors",
                             lambda cube, theory: (cube["vote_error"] - theory["tail"]) ** 2 / theory["variance"]),
        "off_limit": derived("error less Φ(-√(2/π) (1-2b/M)√M S), S ≤ 0.2",
                             lambda cube, theory: (cube["vote_error"] - theory["limit"]).where(cube["snr"] <= 0.2)),
        "late": derived("loss late in the run", late),
        "ahead": derived("loss late in the run, b < M/2",
                         lambda cube, theory: late(cube, theory).where(theory["lead"] > 0)),
        "over_exact": derived("late loss over the chain's", lambda cube, theory: late(cube, theory) / theory["late"]),
        "excess": derived("loss above the late", lambda cube, theory: cube["loss_trace"] - late(cube, theory)),
        "falls": derived("loss that falls", falls),
        "sided": derived("loss that falls if b < M/2, grows if b > M/2",
                         lambda cube, theory: falls(cube, theory) == (theory["lead"] > 0)),
    },
    claims=[
        claim(
            "vote error is the binomial tail",
            "The vote on a coordinate is wrong with probability P(Bin(M-b, p) + Bin(b, 1-p) < M/2).",
            "proof of theorem 2", average("squared_z", NEGATED).within(1.0, 0.1),
            rival=exchangeable("share", "vote_error"),
            fails=where("Coin tossers, in the same state at the start, err less.", attack="random_sign", step=0),
        ),
        claim(
            "error collapses on (1-2b/M)√M S",
            "For small S and many workers the error depends on b and M through (1-2b/M)√M S alone.", "central limit",
            statistic(lambda off: abs(off).mean(["workers", "share", "coordinate"]), "off_limit", words="mean |{of}|",
                      where={**NEGATED, "step": 0}) <= 0.02, rival=exchangeable("share", "vote_error"),
            fails=where("Coin tossers do not lie on this curve.", attack="random_sign"),
            why="exact error and limit differ by up to 0.01 at S = 0.2, counts by 0.01",
        ),
        claim(
            "noise floor is that of the chain", "Each coordinate moves by lr up or down; the late loss is that walk's.",
            "exact law of the walk, this study; tolerance: sampling",
            average("over_exact", NEGATED).within(1.0, 0.07), rival=exchangeable("share", "loss_trace"),
            fails=where("Coin tossers leave a lower floor.", attack="random_sign"),
        ),
        claim(
            "noise floor falls like 1/((1-2b/M)√M)", "Negation and few workers raise it through (1-2b/M)√M alone.",
            "theorem 2", exponent("ahead", "theory.lead", NEGATED).within(-1.0, 0.1),
            rival=exchangeable("share", "loss_trace"),
            fails=where("Coin tossers do not follow (1-2b/M)√M.", attack="random_sign"),
            why="finite lr makes the exact exponent -0.98 here",
        ),
        claim(
            "coin tossers count as absent", "Random signs leave a floor like 1/((1-b/M)√M), finite up to b = M.",
            "drift (2/π)(1-b/M)√M S of the vote, this study",
            exponent("late", "theory.coin_lead", TOSSED).within(-1.0, 0.1), rival=exchangeable("share", "loss_trace"),
            fails=but("Negating adversaries do not follow (1-b/M)√M.", of="ahead", where=NEGATED),
        ),
        claim(
            "slow-down while the vote is a coin toss", "Where (1-2b/M)√M < 1 the time to relax is inverse to it.",
            "drift (2/π)(1-2b/M)√M S of the vote, this study",
            statistic(relaxation_exponent, "excess", "theory.lead", where=NEGATED, above=0, below=1, words="exponent "
                      "of the relaxation time in (1-2b/M)√M from {above:g} to {below:g}").within(-1.0, 0.15),
            rival=exchangeable("share", "loss_trace"), why="the exact chain gives -0.95 here",
            fails=but("Above 2 most votes are right; the speed saturates at lr a step.", above=2, below=np.inf),
        ),
        claim(
            "training breaks at one half, not before",
            "The loss falls with b < M/2 negating adversaries, even (M-1)/2, and grows from (M+1)/2 on.",
            "theorem 2", average("sided", NEGATED) >= 0.95, rival=exchangeable("share", "weight_norm"),
            fails=where("Coin tossers do not break the training at one half.", attack="random_sign"),
        ),
        claim(
            "scaled gradients do not break the vote",
            "A worker that sends -10 M g has one vote: the loss falls with one of them, and with (M-1)/2.",
            "section 1; Blanchard et al. 2017 for the mean", rival=exchangeable("share", "weight_norm"),
            expects=average("falls", {"aggregator": "vote", "attack": "scale", "share": (0.02, 0.49)}) >= 0.95,
            fails=where("A mean is turned round by one such worker, at every M.", aggregator="mean", share=0.02),
        ),
        claim(
            "gradient norm obeys the theorem",
            "The mean l1 norm of the gradient is at most (f_0-f*)/(lr K) + lr |L|_1/2 + 2|sigma|_1/((1-2b/M)√M).",
            "proof of theorem 2, before lr and batch are chosen",
            statistic(worst, "loss_trace", "theory.loss_bound", "theory.lead", where=NEGATED, side="<",
                      keep=["workers", "share"], words="largest √(2dh mean loss) / bound, b {side} M/2") <= 1,
            rival=exchangeable("share", "loss_trace"),
            fails=but("A majority of adversaries exceeds the bound with |1-2b/M|.", side=">"),
        ),
    ],
    picture=[
        panel("vote_error", "theory.argument", by="workers", where={**NEGATED, **FEW}, line="limit", legend="",
              title="Gaussian limit", xlim=(-2.5, 2.5), xlabel=r"$(1-2b/M)\sqrt{M}\,S$",
              also=panel("vote_error", "theory.argument", where={**TOSSED, **FEW}, grey={"y": True}, marker="x")),
        panel("late", "theory.part", by="workers", where=NEGATED, log="y", mark={"x": 0.5}, legend="",
              title="breaks at one half", xlabel=r"share of negating workers  $b/M$"),
        panel("ahead", "theory.lead", by="workers", where=NEGATED, line="small_steps", log="xy", ylim=(0.04, 6),
              title="one curve, slope −1", xlabel=r"$(1-2b/M)\sqrt{M}$", labels={"workers": "M"},
              also=panel("ahead", "theory.lead", where=TOSSED, grey={"y": True}, marker="x",
                         labels={"ahead": "coin tossers"})),
    ],
    caption=(
        "Points: measured, with 95 % intervals over seeds; lines: the binomial tail's limit, the exact chain, and its "
        "small-step limit π lr σ d / (8 (1-2b/M) √M). Grey: adversaries that toss coins."
    ),
    about=(
        "The vote errs as the binomial tail says, its floor is that of the exact birth-death chain, and training "
        "holds to b = (M-1)/2 negating workers and breaks at (M+1)/2. The slow-down is undecided: it is inverse to (1 "
        "- 2b/M) √M only while that times S is small, where the drift is barely larger than its noise over these seeds."
    ),
)  # fmt: skip
