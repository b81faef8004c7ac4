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
    *(
        f"jiang_{equation}"
        for equations in (
            (20, 22, *range(29, 45), 100, 101),
            (129, 130, 131, 132, 133, 134, 135, 141),
            (48, 49, 53),
            (56, 57, 61),
        )
        for equation in equations
    ),
)
