"""The names of ``registry.MEASURES``, for those who must not import torch (the plan, the checker, the page)."""

NAMES: tuple[str, ...] = (
    "train_loss",
    "test_loss",
    "train_error",
    "test_error",
    "margins",
    "margin_quantiles",
    "normalised_margin_quantiles",
    "layer_norms",
    "spectral_norms",
    "stable_ranks",
    "lipschitz_product",
    "spectral_complexity",
    "path_norm",
    "weight_norm",
    "distance_from_init",
    "relative_distance_from_init",
    "ntk_change",
    "top_hessian_eigenvalue",
    "top_hessian_residual",
)
