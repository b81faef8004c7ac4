"""Neural collapse: how far last-layer features and classifier are from a collapsed frame (NC1 to NC4).

Source: Papyan, Han & Donoho 2020, section "Neural collapse", with the normalisations of Zhu et al. 2021.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClassMeans:
    """Features by class.

    Attributes:
        means: of each class ``(class, d)``.
        centre: the mean of all features ``(d,)``.
        within: covariance about the class means ``(d, d)``.
        between: covariance of the class means about the centre ``(d, d)``, classes weighted by their sizes.
    """

    means: Floats
    centre: Floats
    within: Floats
    between: Floats


def class_means(features: Floats, labels: NDArray[np.integer], classes: int) -> ClassMeans:
    """Means and covariances of features ``(n, d)`` with labels ``(n,)``; each class needs at least one example."""
    means = np.stack([features[labels == k].mean(0) for k in range(classes)])
    centre = features.mean(0)
    inside, outside = features - means[labels], means[labels] - centre
    return ClassMeans(means, centre, inside.T @ inside / len(labels), outside.T @ outside / len(labels))


def variability(found: ClassMeans, classes: int) -> float:
    """NC1 = tr(S_W S_B^+) / K, the pseudo-inverse taken at rank K - 1; 0 if features are their class means."""
    values, vectors = np.linalg.eigh(found.between)
    values, vectors = values[1 - classes :], vectors[:, 1 - classes :]
    keep = values > 1e-12 * max(values[-1], 1e-300)
    along = vectors[:, keep]
    return float(np.einsum("di,de,ei,i->", along, found.within, along, 1 / values[keep]) / classes)


def cosines(means: Floats) -> Floats:
    """Cosine of each pair of class means, ``(pair,)``: 0 for an orthogonal frame, -1/(K-1) for centred simplex ETFs."""
    unit = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-300)
    return (unit @ unit.T)[np.triu_indices(len(means), 1)]


def unequal_norms(means: Floats) -> float:
    """NC2, first half: standard deviation over mean of the norms of the class means."""
    norms = np.linalg.norm(means, axis=1)
    return float(norms.std() / norms.mean())


def self_duality(weights: Floats, means: Floats) -> float:
    """NC3 = |W / |W|_F - M / |M|_F|_F, weights and (centred) class means ``(class, d)``; 0 if they are aligned."""
    return float(np.linalg.norm(weights / np.linalg.norm(weights) - means / np.linalg.norm(means)))


def nearest_mean_disagreement(logits: Floats, features: Floats, means: Floats) -> float:
    """NC4: fraction of examples whose class by the network ``(n, class)`` is not that of the nearest class mean."""
    distance = ((features[:, None] - means) ** 2).sum(-1)
    return float(np.mean(logits.argmax(1) != distance.argmin(1)))
