"""The complexity measures of Jiang, Neyshabur, Mobahi, Krishnan & Bengio 2020 (arXiv 1912.02178), by equation number.

Each is sqrt(v / m) with m training examples, or its logarithm, (log v - log m) / 2, where the paper takes products over
layers. ``EQUATIONS`` says v. Numbers from 129 on are those of a hundred less, with the norm of a convolution as an
operator on its image (circular, Sedghi, Gupta & Long 2019) in place of its kernel's as a matrix.

Three readings differ from code that is in use: gamma keeps its sign, so a network that is wrong on a tenth of the
examples has no measure that divides by it; sigma is the standard deviation of the noise, not its root; and v is |w|^2
in 100 and 101, as in 42, where that code has |w|.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call

from dlatlas.identity.streams import stream
from dlatlas.measures import margins, norms
from dlatlas.measures.accuracy import classification_error
from dlatlas.measures.conv import circular_spectral_norm
from dlatlas.measures.measure import At, Measure, family
from dlatlas.measures.trained import Trained, double

SOURCE = "Jiang et al. 2020, arXiv 1912.02178, equation {}"
DROP = 0.1
"""Training accuracy that the noise of equations 48 to 61 may cost."""
LARGEST = 2.0
"""The largest noise that is tried."""
EPSILON = 1e-3
"""Standard deviation of the noise on a weight of 0, where noise is in proportion to weights."""


@dataclass(frozen=True)
class Facts:
    """What the measures are made of, in float64.

    Attributes:
        spectral, frobenius: norms of the layers, ``(run, layer)``.
        spectral_moved, moved: the same of their change since the start.
        margin: gamma, the tenth percentile of the signed training margins, ``(run,)``.
        path: the sum of the outputs of the network with squared parameters on an input of ones, ``(run,)``.
        now, start: all parameters, ``(run, parameter)``.
        examples: m.
        sigma: noise that costs ``DROP`` of the training accuracy, ``(run,)``; None where nobody asks for it.
    """

    spectral: Tensor
    frobenius: Tensor
    spectral_moved: Tensor
    moved: Tensor
    margin: Tensor
    path: Tensor
    now: Tensor
    start: Tensor
    examples: int
    sigma: Tensor | None = None

    @property
    def layers(self) -> int:
        """How many layers have weights."""
        return self.spectral.shape[1]


@dataclass(frozen=True)
class Complexity:
    """One of the measures.

    Attributes:
        meaning: what it is.
        value: v, or log v where ``log``, ``(run,)``.
        log: whether the measure is a logarithm.
        margin: whether it divides by gamma.
    """

    meaning: str
    value: Callable[[Facts], Tensor]
    log: bool = False
    margin: bool = False

    def of(self, facts: Facts) -> Tensor:
        """The measure, ``(run,)``."""
        value, m = self.value(facts), facts.examples
        return (value - math.log(m)) / 2 if self.log else (value / m).sqrt()


def _gamma(facts: Facts) -> Tensor:
    return torch.where(facts.margin > 0, facts.margin, torch.nan)


def _spectral(facts: Facts) -> Tensor:
    return facts.spectral.log().sum(1) * 2


def _frobenius(facts: Facts) -> Tensor:
    return facts.frobenius.log().sum(1) * 2


def _product(of: Callable[[Facts], Tensor], over_margin: bool, facts: Facts) -> Tensor:
    return of(facts) - (2 * _gamma(facts).log() if over_margin else 0.0)


def _sum(of: Callable[[Facts], Tensor], over_margin: bool, facts: Facts) -> Tensor:
    return math.log(facts.layers) + _product(of, over_margin, facts) / facts.layers


def _bound(facts: Facts, norm: Callable[[Facts], Tensor]) -> Tensor:
    return _product(_spectral, True, facts) + (norm(facts) / facts.spectral).square().sum(1).log()


def _pac_bayes(reference: Callable[[Facts], Tensor], facts: Facts) -> Tensor:
    size = reference(facts).square().sum(1)
    return size / (4 * facts.sigma**2) + torch.log(facts.examples / facts.sigma) + 10


def _pac_bayes_magnitude(reference: Callable[[Facts], Tensor], facts: Facts) -> Tensor:
    size, variance = reference(facts).square().mean(1), facts.sigma[:, None] ** 2
    above = EPSILON**2 + (variance + 1) * size[:, None]
    below = EPSILON**2 + variance * (facts.now - facts.start).square()
    return (above / below).log().sum(1) / 4 + torch.log(facts.examples / facts.sigma) + 10


def _now(facts: Facts) -> Tensor:
    return facts.now


def _change(facts: Facts) -> Tensor:
    return facts.now - facts.start


NORMS: dict[int, Complexity] = {
    20: Complexity("number of parameters", lambda f: torch.full_like(f.margin, f.now.shape[1])),
    22: Complexity("1/γ²", lambda f: _gamma(f) ** -2, margin=True),
    29: Complexity("Π|W|₂² Σ|W - W₀|²/|W|₂² / γ²", lambda f: _bound(f, lambda f: f.moved), True, True),
    30: Complexity("Π|W|₂² Σ|W|²/|W|₂² / γ²", lambda f: _bound(f, lambda f: f.frobenius), True, True),
    31: Complexity("Π|W|₂² / γ²", partial(_product, _spectral, True), True, True),
    32: Complexity("Π|W|₂²", partial(_product, _spectral, False), True),
    33: Complexity("Σ|W|²/|W|₂²", lambda f: (f.frobenius / f.spectral).square().sum(1)),
    34: Complexity("d (Π|W|₂² / γ²)^(1/d)", partial(_sum, _spectral, True), True, True),
    35: Complexity("d (Π|W|₂²)^(1/d)", partial(_sum, _spectral, False), True),
    36: Complexity("Π|W|² / γ²", partial(_product, _frobenius, True), True, True),
    37: Complexity("Π|W|²", partial(_product, _frobenius, False), True),
    38: Complexity("d (Π|W|² / γ²)^(1/d)", partial(_sum, _frobenius, True), True, True),
    39: Complexity("d (Π|W|²)^(1/d)", partial(_sum, _frobenius, False), True),
    40: Complexity("Σ|W - W₀|²", lambda f: f.moved.square().sum(1)),
    41: Complexity("Σ|W - W₀|₂²", lambda f: f.spectral_moved.square().sum(1)),
    42: Complexity("Σ|W|²", lambda f: f.frobenius.square().sum(1)),
    43: Complexity("squared path norm / γ²", lambda f: f.path / _gamma(f) ** 2, margin=True),
    44: Complexity("squared path norm", lambda f: f.path),
    100: Complexity("|w|²", lambda f: f.now.square().sum(1)),
    101: Complexity("|w - w₀|²", lambda f: _change(f).square().sum(1)),
}
"""From norms and margins."""

OPERATORS = {number + 100: NORMS[number] for number in (29, 30, 31, 32, 33, 34, 35, 41)}
"""The same of convolutions as operators."""

FLATNESS: dict[int, Complexity] = {
    48: Complexity("PAC-Bayes bound about the start", partial(_pac_bayes, _change)),
    49: Complexity("PAC-Bayes bound about 0", partial(_pac_bayes, _now)),
    53: Complexity("1/σ²", lambda f: f.sigma**-2),
}
"""From the noise of equal size on every weight that the network bears."""

MAGNITUDE: dict[int, Complexity] = {
    56: Complexity("PAC-Bayes bound about the start, noise as weights", partial(_pac_bayes_magnitude, _change)),
    57: Complexity("PAC-Bayes bound about 0, noise as weights", partial(_pac_bayes_magnitude, _now)),
    61: Complexity("1/σ'², noise as weights", lambda f: f.sigma**-2),
}
"""From the noise in proportion to every weight that it bears."""

EQUATIONS = {**NORMS, **FLATNESS, **MAGNITUDE, **OPERATORS}
"""Every measure: number of its equation -> what it is."""


def of_norms(trained: Trained) -> dict[str, Tensor]:
    """The measures of norms and margins, ``jiang_<equation>`` -> ``(run,)``."""
    return _evaluated(NORMS, facts(trained))


def of_operators(trained: Trained) -> dict[str, Tensor]:
    """The measures of norms of operators, ``jiang_<equation>`` -> ``(run,)``."""
    return _evaluated(OPERATORS, facts(trained, operators=True))


def of_flatness(trained: Trained) -> dict[str, Tensor]:
    """The measures of noise of equal size, ``jiang_<equation>`` -> ``(run,)``."""
    return _evaluated(FLATNESS, facts(trained, sigma=bearable_noise(trained)))


def of_magnitude(trained: Trained) -> dict[str, Tensor]:
    """The measures of noise in proportion to weights, ``jiang_<equation>`` -> ``(run,)``."""
    return _evaluated(MAGNITUDE, facts(trained, sigma=bearable_noise(trained, magnitude=True)))


def facts(trained: Trained, *, operators: bool = False, sigma: Tensor | None = None) -> Facts:
    """Norms, margin, path norm and parameters of a trained stack.

    Args:
        trained: the stack.
        operators: whether a convolution's spectral norm is that of the operator on its image.
        sigma: noise to be kept with them.
    """
    now, start = trained.weights(), trained.initial_weights()
    moved = [W.double() - W0.double() for W, W0 in zip(now, start)]
    spectral = partial(_operator_norms, trained) if operators else norms.spectral_norms
    margin = margins.margins(trained.outputs(), trained.stacked_targets())
    return Facts(
        spectral=spectral(now),
        frobenius=norms.frobenius_norms(now),
        spectral_moved=spectral(moved),
        moved=norms.frobenius_norms(moved),
        margin=margin.kthvalue(max(1, margin.shape[1] // 10), dim=1).values,
        path=_squared_path_norms(trained),
        now=_flat(trained.parameters),
        start=_flat(trained.initial),
        examples=margin.shape[1],
        sigma=sigma,
    )


def bearable_noise(trained: Trained, *, magnitude: bool = False, draws: int = 10, halvings: int = 15) -> Tensor:
    """The standard deviation of Gaussian noise on the parameters that costs ``DROP`` of the accuracy, ``(run,)``.

    By bisection on [0, ``LARGEST``] of the mean accuracy over the same draws; ``LARGEST`` where even that costs less.

    Args:
        trained: the stack.
        magnitude: whether parameter w has noise of variance sigma^2 w^2 + ``EPSILON``^2 in place of sigma^2.
        draws: of the noise.
        halvings: of the interval.

    Source: Jiang et al. 2020, appendix C.4.
    """
    shapes = {name: value.shape[1:] for name, value in trained.parameters.items()}
    noise = []
    for draw in range(draws):
        rngs = [stream(key, "perturbation", draw) for key in trained.keys]
        drawn = [{name: rng.standard_normal(shape) for name, shape in shapes.items()} for rng in rngs]
        noise.append({name: torch.stack([torch.from_numpy(one[name]) for one in drawn]) for name in shapes})
    least = _accuracy(trained, trained.parameters) - DROP
    low, high = torch.zeros(len(trained.keys), dtype=torch.float64), torch.full((len(trained.keys),), LARGEST).double()
    for _ in range(halvings):
        sigma = (low + high) / 2
        borne = torch.zeros_like(sigma)
        for one in noise:
            moved = {
                name: w.double() + _size(w.double(), sigma, magnitude) * one[name]
                for name, w in trained.parameters.items()
            }
            borne += _accuracy(trained, moved) / draws
        low, high = torch.where(borne >= least, sigma, low), torch.where(borne >= least, high, sigma)
    return (low + high) / 2


def _size(w: Tensor, sigma: Tensor, magnitude: bool) -> Tensor:
    sigma = sigma.reshape(-1, *[1] * (w.ndim - 1))
    return (sigma**2 * w**2 + EPSILON**2).sqrt() if magnitude else sigma


def _accuracy(trained: Trained, parameters: Mapping[str, Tensor]) -> Tensor:
    outputs = replace(trained, parameters=dict(parameters)).outputs()
    return 1 - torch.vmap(classification_error)(outputs, trained.stacked_targets()).double()


def _evaluated(equations: Mapping[int, Complexity], found: Facts) -> dict[str, Tensor]:
    finite = found.now.isfinite().all(1)
    values = {number: complexity.of(found) for number, complexity in equations.items()}
    return {f"jiang_{number}": torch.where(finite, value, torch.nan) for number, value in values.items()}


def _flat(parameters: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([value.double().reshape(len(value), -1) for value in parameters.values()], 1)


def _squared_path_norms(trained: Trained) -> Tensor:
    if all(W.ndim == 3 for W in trained.weights()):
        biases = [tensor for tensor in trained.parameters.values() if tensor.ndim == 2]
        return norms.squared_path_norm(trained.weights(), biases or None)
    x = trained.data()[0]
    ones = torch.ones_like(x[:1] if trained.shared_data else x[0, :1])

    def forward(p: dict[str, Tensor], held: dict[str, Tensor]) -> Tensor:
        return functional_call(trained.model, (p, held), (ones,)).sum()

    squared = {name: value.double() ** 2 for name, value in trained.parameters.items()}
    return torch.vmap(forward)(squared, {name: double(value) for name, value in trained.buffers.items()})


def _operator_norms(trained: Trained, weights: list[Tensor]) -> Tensor:
    layers = [name for name in trained.parameters if trained.parameters[name].ndim >= 3]
    images = _images(trained)
    found = []
    for name, W in zip(layers, weights):
        if W.ndim == 5:
            found.append(circular_spectral_norm(W, *images[name]))
        else:
            found.append(norms.spectral_norms([W])[:, 0])
    return torch.stack(found, 1)


def _images(trained: Trained) -> dict[str, tuple[int, int]]:
    """Side of the image and stride of every convolution, by its weight's name, from what one example meets."""
    met: dict[str, tuple[int, int]] = {}
    hooks = []
    for name, layer in trained.model.named_modules():
        if isinstance(layer, nn.Conv2d):

            def note(layer: nn.Conv2d, inputs: tuple[Tensor], name: str = name) -> None:
                met[f"{name}.weight"] = (inputs[0].shape[-1], layer.stride[0])

            hooks.append(layer.register_forward_pre_hook(note))
    x = trained.data()[0]
    one = {name: double(value[0]) for name, value in {**trained.parameters, **trained.buffers}.items()}
    try:
        functional_call(trained.model, one, (x[:1] if trained.shared_data else x[0, :1],))
    finally:
        for hook in hooks:
            hook.remove()
    return met


def family_of(
    function: Callable[[Trained], dict[str, Tensor]],
    equations: Mapping[int, Complexity],
    extra: str = "",
    at: At = "checkpoints",
) -> tuple[Measure, ...]:
    """The measures that one computation gives, one an equation; ``extra`` ends what each is."""
    members = (
        {
            "long_name": f"complexity of equation {number}: "
            f"{'log of ' if each.log else ''}√({each.meaning}{extra} / m)",
            "source": SOURCE.format(number),
            "at": at,
            "undefined": "a tenth of the training examples wrong" if each.margin else "",
        }
        for number, each in equations.items()
    )
    return family(function, *members)


# fmt: off
(
    jiang_20, jiang_22, jiang_29, jiang_30, jiang_31, jiang_32, jiang_33, jiang_34, jiang_35, jiang_36, jiang_37,
    jiang_38, jiang_39, jiang_40, jiang_41, jiang_42, jiang_43, jiang_44, jiang_100, jiang_101,
) = family_of(of_norms, NORMS)
(
    jiang_129, jiang_130, jiang_131, jiang_132, jiang_133, jiang_134, jiang_135, jiang_141,
) = family_of(of_operators, OPERATORS, ", norms of operators")
# Noise takes hundreds of passes, so it is tried on the last parameters only.
jiang_48, jiang_49, jiang_53 = family_of(of_flatness, FLATNESS, at="final")
jiang_56, jiang_57, jiang_61 = family_of(of_magnitude, MAGNITUDE, at="final")
# fmt: on
