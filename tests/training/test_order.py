from math import factorial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dlatlas.identity.streams import torch_seed
from dlatlas.training.order import epoch_order, order_keys

WORD = 2**64


def splitmix64(state: int) -> int:
    """The next number of SplitMix64, in Python's own integers, as published."""
    z = (state + 0x9E3779B97F4A7C15) % WORD
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % WORD
    return z ^ (z >> 31)


def test_the_generator_is_splitmix64():
    """The first numbers from seed 1234567, as in the reference implementation's test vector."""
    state, found = 1234567, []
    for _ in range(3):
        found.append(splitmix64(state))
        state = (state + 0x9E3779B97F4A7C15) % WORD
    assert found == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(st.text(max_size=5), st.integers(0, 1000), st.integers(1, 200))
def test_it_is_a_permutation_sorted_by_the_numbers_of_the_generator(key, epoch, examples):
    golden = 0x9E3779B97F4A7C15
    seed = splitmix64((torch_seed(key, "order") + epoch * golden - golden) % WORD)
    bits = (examples - 1).bit_length()
    labelled = []
    for number in range(examples):
        word = ((splitmix64((seed + (number - 1) * golden) % WORD) << bits) | number) % WORD
        labelled.append(word - WORD if word >= WORD // 2 else word)
    expected = [word % 2**bits for word in sorted(labelled)]
    found = epoch_order(order_keys(["another", key]), epoch, examples)
    assert found[1].tolist() == expected
    assert sorted(expected) == list(range(examples))


@pytest.mark.parametrize("examples", [2, 3, 4, 5])
def test_all_permutations_are_equally_likely(examples):
    """Over runs and epochs; chi-squared at fixed keys, p > 1e-4."""
    keys = order_keys([f"run {number}" for number in range(3000)])
    drawn = torch.cat([epoch_order(keys, epoch, examples) for epoch in range(10)]).numpy()
    _, counts = np.unique(drawn @ examples ** np.arange(examples), return_counts=True)
    assert len(counts) == factorial(examples)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_neighbouring_epochs_and_runs_are_independent():
    keys = order_keys([f"run {number}" for number in range(400)])
    first, second = (epoch_order(keys, epoch, 100).double() for epoch in (0, 1))
    for one, other in ((first, second), (first[:-1], first[1:])):
        correlations = [stats.spearmanr(a, b)[0] for a, b in zip(one.argsort(1).numpy(), other.argsort(1).numpy())]
        assert abs(np.mean(correlations)) < 4 * np.std(correlations) / np.sqrt(len(correlations))


def test_each_example_comes_first_as_often_as_any_other():
    keys = order_keys([str(number) for number in range(20_000)])
    assert stats.chisquare(np.bincount(epoch_order(keys, 7, 100)[:, 0], minlength=100)).pvalue > 1e-4
