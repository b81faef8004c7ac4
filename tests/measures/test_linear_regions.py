from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlatlas.measures.linear_regions import breakpoints, regions, tent


def drawn(seed, sizes, bias=1.0):
    rng = np.random.default_rng(seed)
    return [(rng.standard_normal((b, a)) * np.sqrt(2 / a), bias * rng.standard_normal(b)) for a, b in pairwise(sizes)]


def patterns(layers, x):
    """The sign of every unit at points ``(n, d)``."""
    signs = []
    for weights, biases in layers:
        z = x @ weights.T + biases
        signs.append(z > 0)
        x = np.maximum(z, 0)
    return np.concatenate(signs, axis=1)


def test_one_unit_breaks_at_its_zero():
    found = breakpoints([(np.array([[2.0]]), np.array([-0.5]))], np.zeros(1), np.ones(1))
    np.testing.assert_allclose(found, [0.25])


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([(3, 8), (3, 6, 6), (2, 4, 4, 4)]))
def test_breaks_are_the_changes_of_the_pattern_on_a_fine_grid(seed, sizes):
    """Brute force: every sign change between neighbours of 20,001 points, as many as are more than a step apart."""
    layers, rng = drawn(seed, sizes), np.random.default_rng(seed)
    start, end = rng.standard_normal((2, sizes[0]))
    found = breakpoints(layers, start, end)
    grid = np.linspace(0, 1, 20_001)
    signs = patterns(layers, start + grid[:, None] * (end - start))
    changes = int((signs[1:] != signs[:-1]).sum())
    assert changes == len(found) or np.diff(found).min() < 1e-4


def test_between_breaks_the_network_is_affine():
    layers, rng = drawn(3, (3, 8, 8)), np.random.default_rng(3)
    start, end = rng.standard_normal((2, 3))
    nodes = np.concatenate([[0], breakpoints(layers, start, end), [1]])
    share = np.array([0.2, 0.5, 0.8])[:, None]
    inside = start + (nodes[:-1] + share * np.diff(nodes)).ravel()[:, None] * (end - start)
    shown = patterns(layers, inside).reshape(3, len(nodes) - 1, -1)
    assert (shown == shown[0]).all()


def test_one_layer_breaks_as_often_as_the_arctangent_says():
    """Weights and biases N(0, 1), one input, N = 64 on [-1, 2]: 38.55 (audit of the catalogue); |z| < 4."""
    rng, counts = np.random.default_rng(0), []
    for _ in range(2000):
        layer = rng.standard_normal((64, 1)), rng.standard_normal(64)
        counts.append(len(breakpoints([layer], np.array([-1.0]), np.array([2.0]))))
    expected = 64 * (np.arctan(2) - np.arctan(-1)) / np.pi
    assert expected == pytest.approx(38.55, abs=0.01)
    assert abs(np.mean(counts) - expected) / (np.std(counts) / np.sqrt(2000)) < 4


def test_lines_cut_a_square_as_euler_says():
    """One layer: 1 + lines that cross it + their crossings inside."""
    (layer,) = drawn(1, (2, 9))
    corner, one, other = np.array([-1.0, -1.0]), np.array([2.0, 0.0]), np.array([0.0, 2.0])
    weights, biases = layer
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1.0]])
    values = corners @ weights.T + biases
    crossing = (values.min(0) < 0) & (values.max(0) > 0)
    inside = 0
    for i in range(9):
        for j in range(i):
            point = np.linalg.solve(weights[[i, j]], -biases[[i, j]])
            inside += np.abs(point).max() < 1
    assert regions([layer], corner, one, other) == 1 + crossing.sum() + inside


@pytest.mark.parametrize("seed", range(4))
def test_regions_of_two_layers_are_at_least_the_patterns_on_a_grid(seed):
    layers = drawn(seed, (2, 6, 6))
    corner, one, other = np.array([-1.0, -1.0]), np.array([2.0, 0.0]), np.array([0.0, 2.0])
    s, t = np.meshgrid(np.linspace(0, 1, 700), np.linspace(0, 1, 700))
    x = corner + s.reshape(-1, 1) * one + t.reshape(-1, 1) * other
    seen = len(np.unique(patterns(layers, x), axis=0))
    found = regions(layers, corner, one, other)
    assert seen <= found <= seen + 8  # slivers between grid points, and one pattern on two pieces


@pytest.mark.parametrize("folds", [1, 3, 10])
def test_a_sawtooth_has_two_to_the_depth_pieces(folds):
    found = breakpoints(tent(folds, 0.0, np.random.default_rng(0)), np.zeros(1), np.ones(1))
    np.testing.assert_allclose(found, np.arange(1, 2**folds) / 2**folds)


def test_noise_destroys_it_where_the_audit_says():
    rng = np.random.default_rng(0)
    left = [np.mean([len(breakpoints(tent(10, noise, rng), np.zeros(1), np.ones(1))) for _ in range(20)])
            for noise in (0.001, 0.03, 0.1)]  # fmt: skip
    assert 900 < left[0] < 1500
    assert 300 < left[1] < 900
    assert 20 < left[2] < 300
