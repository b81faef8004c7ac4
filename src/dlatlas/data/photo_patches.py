"""Patches of natural images: scikit-learn's two sample photographs (china.jpg, flower.jpg)."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlatlas.data.dataset import Dataset
from dlatlas.data.subset import check_count
from dlatlas.data.tensors import read
from dlatlas.identity.streams import stream

FILE = "photo_patches"
PATCHES, SIDE = 4000, 12


def make() -> dict[str, NDArray[np.generic]]:
    """The array of the file: ``x`` (4000, 144) float32, grey patches of 12x12 pixels without their means.

    Grey is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), white 1; every patch lies anywhere in either photograph.
    """
    from sklearn.datasets import load_sample_images

    draw = stream("photo_patches", "data")
    # In whole numbers up to one last division, so that every machine gets the same bytes.
    grey = [photo.astype(np.int64) @ np.array([299, 587, 114]) for photo in load_sample_images().images]
    patches = []
    for which in draw.integers(len(grey), size=PATCHES):
        height, width = grey[which].shape
        top, left = draw.integers(height - SIDE + 1), draw.integers(width - SIDE + 1)
        patches.append(grey[which][top : top + SIDE, left : left + SIDE].ravel())
    x = np.stack(patches)
    centred = x * x.shape[1] - x.sum(axis=1, keepdims=True)
    return {"x": (centred / (x.shape[1] * 255_000)).astype(np.float32)}


def photo_patches(*, folder: Path, generator: np.random.Generator, n_train: int = 3000, n_test: int = 1000) -> Dataset:
    """Random patches, different ones to train and to test; unsupervised, so the targets are the inputs.

    Args:
        folder: the data folder.
        generator: the run's data stream; draws which patches.
        n_train: training patches.
        n_test: test patches; with ``n_train`` at most 4000.

    Returns:
        Inputs ``(n, 144)`` float32, mean zero patch by patch, grey levels with white as 1; ``y`` is ``x``.

    Raises:
        InputError: the file is missing or broken, or a number is out of range.
    """
    check_count("photo_patches: n_train", n_train, PATCHES)
    check_count("photo_patches: n_test", n_test, PATCHES - n_train, least=0)
    x = read(folder, "photo_patches")["x"]
    order = generator.permutation(PATCHES)
    train, test = x[order[:n_train]], x[order[n_train : n_train + n_test]]
    return Dataset(train, train, test, test)
