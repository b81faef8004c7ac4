"""The order in which a run sees its examples, drawn for a whole stack at once on the device that trains it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dlatlas.identity.streams import torch_seed


def _signed(word: int) -> int:
    """A 64-bit word as torch holds it."""
    return (word + 2**63) % 2**64 - 2**63


GOLDEN = _signed(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio: the increment of SplitMix64."""

FACTORS = ((30, _signed(0xBF58476D1CE4E5B9)), (27, _signed(0x94D049BB133111EB)))
"""Shifts and multipliers of its finaliser, Stafford's variant 13."""


def order_keys(keys: Sequence[str]) -> Tensor:
    """What names the order stream of each run, ``(run,)`` int64."""
    return torch.tensor([torch_seed(key, "order") for key in keys], dtype=torch.int64)


def epoch_order(keys: Tensor, epoch: int, examples: int) -> Tensor:
    """A permutation for each run, ``(run, examples)`` int64: the same on every device, alone or among other runs.

    Every example gets random bits, a counter-based hash of key, epoch and example (SplitMix64: Steele, Lea & Flood,
    OOPSLA 2014, figure 16), with its own number as the lowest ones; sorted, these numbers are in random order.
    """
    bits = (examples - 1).bit_length()
    number = torch.arange(examples, device=keys.device)
    drawn = _mixed(_mixed(keys + _signed(epoch * GOLDEN))[:, None] + number * GOLDEN)
    labelled = drawn.bitwise_left_shift_(bits).bitwise_or_(number)
    if labelled.is_cuda:
        labelled = labelled.sort(dim=1).values
    else:
        labelled.numpy().sort(axis=1)  # four times as fast as torch's
    return labelled.bitwise_and_(2**bits - 1)


def _mixed(words: Tensor) -> Tensor:
    """SplitMix64's finaliser of 64-bit words."""
    for shift, factor in FACTORS:
        words = (words ^ _shifted(words, shift)) * factor
    return words ^ _shifted(words, 31)


def _shifted(words: Tensor, by: int) -> Tensor:
    """To the right, zeros coming in: torch has the signed shift only."""
    return (words >> by) & (2 ** (64 - by) - 1)
