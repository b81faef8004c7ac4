"""The words for what becomes of a claim."""

from collections.abc import Mapping
from typing import Literal

Outcome = Literal["supported", "contradicted", "not reproduced", "undecided"]
OUTCOMES: Mapping[Outcome, str] = {
    "supported": "the whole interval is allowed, the control fails, the rival is excluded",
    "contradicted": "the whole interval lies outside what the theorem or the paper states",
    "not reproduced": "the whole interval lies outside what we expected of it in this setting",
    "undecided": "neither, for the reason given on the study’s page",
}
"""What each says."""
SIGNS: Mapping[str, str] = {"supported": "✓", "contradicted": "✗", "not reproduced": "≠", "undecided": "?"}
"""A sign for each; the word always stands beside it."""
