"""The l_p norms in which steps are measured, by name."""

import math

ORDERS = {
    "l1": 1.0, "l1.1": 1.1, "l4/3": 4 / 3, "l1.5": 1.5, "l2": 2.0, "l3": 3.0, "l4": 4.0, "linf": math.inf
}  # fmt: skip
"""Name -> p."""
