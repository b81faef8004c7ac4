"""When the parameters of a training are kept."""

import numpy as np


def checkpoint_steps(steps: int, number: int) -> list[int]:
    """Step 0, then at most ``number`` log-spaced ones, the last one included: 0, 1, ..., ``steps``."""
    if number == 1:
        return [0, steps]
    spaced = np.geomspace(1, steps, number)
    return sorted({0, *(round(float(step)) for step in spaced), steps})
