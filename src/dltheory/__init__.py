"""The Deep Learning Theory Atlas: one folder a chapter, one file a study, and what studies share."""

CHAPTERS = (
    "kernel",
    "mean_field",
    "dynamics",
    "large_lr",
    "implicit_bias",
    "overparametrization",
    "generalization",
    "representation",
    "expressivity",
    "graphs",
    "sampling",
    "algorithms",
)
"""The order of the chapters in the contents; others follow by name."""
