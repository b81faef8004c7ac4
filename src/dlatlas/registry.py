"""What a params file may name, and where it lives; nothing is imported before it is used."""

from importlib import import_module
from typing import Any

from dlatlas.errors import unknown

MODELS = {
    "mlp": "dlatlas.models.mlp:MLP",
    "redrawn_mlp": "dlatlas.models.redrawn_mlp:RedrawnMLP",
    "noisy_quadratic": "dlatlas.models.noisy_quadratic:NoisyQuadratic",
    "two_layer_linear": "dlatlas.models.two_layer_linear:TwoLayerLinear",
    "tangent_mlp": "dlatlas.models.tangent_mlp:TangentMLP",
    "taylor_mlp": "dlatlas.models.taylor_mlp:TaylorMLP",
    "two_layer_tangent": "dlatlas.models.two_layer_tangent:TwoLayerTangent",
    "scaled_two_layer": "dlatlas.models.scaled_two_layer:ScaledTwoLayer",
    "conv_net": "dlatlas.models.conv_net:ConvNet",
    "deep_linear": "dlatlas.models.deep_linear:DeepLinear",
    "linear_predictor": "dlatlas.models.linear_predictor:LinearPredictor",
}

DATASETS = {
    "digits": "dlatlas.data.digits:digits",
    "redrawn_digits": "dlatlas.data.redrawn_digits:redrawn_digits",
    "photo_patches": "dlatlas.data.photo_patches:photo_patches",
    "mnist1d": "dlatlas.data.mnist1d:mnist1d",
    "mnist": "dlatlas.data.mnist:mnist",
    "cifar10": "dlatlas.data.cifar:cifar10",
    "one_sample": "dlatlas.data.one_sample:one_sample",
    "gaussian_regression": "dlatlas.data.gaussian:gaussian_regression",
    "gaussian_classes": "dlatlas.data.gaussian:gaussian_classes",
    "gaussian_noise": "dlatlas.data.gaussian_noise:gaussian_noise",
    "embedded_classes": "dlatlas.data.embedded_classes:embedded_classes",
    "single_index_teacher": "dlatlas.data.teacher:single_index_teacher",
    "circle_waves": "dlatlas.data.circle_waves:circle_waves",
    "matrix_completion": "dlatlas.data.matrix_completion:matrix_completion",
    "two_layer_teacher": "dlatlas.data.teacher:two_layer_teacher",
}

FILE_DATASETS = {
    "digits": "digits",
    "redrawn_digits": "digits",
    "photo_patches": "photo_patches",
    "mnist1d": "mnist1d",
    "mnist": "mnist",
    "cifar10": "cifar10",
}
"""The data sets that lie in files under ``data/``, and the name of their files; the others are drawn from the run's own
stream."""

LOSSES = {
    "half_mse": "dlatlas.measures.losses:half_mse",
    "mse": "dlatlas.measures.losses:mse",
    "cross_entropy": "dlatlas.measures.losses:cross_entropy",
    "cross_entropy_stopped": "dlatlas.measures.stopped_loss:cross_entropy_stopped",
    "logistic": "dlatlas.measures.losses:logistic",
    "exponential": "dlatlas.measures.losses:exponential",
    "log_exponential": "dlatlas.measures.losses:log_exponential",
    "poly_tail": "dlatlas.measures.losses:poly_tail",
    "objective": "dlatlas.measures.objective:objective",
}

OPTIMIZERS = {
    "sgd": "dlatlas.optimizers.sgd:SGD",
    "momentum": "dlatlas.optimizers.momentum:MOMENTUM",
    "nesterov": "dlatlas.optimizers.momentum:NESTEROV",
    "adam": "dlatlas.optimizers.adam:ADAM",
    "unit_speed_flow": "dlatlas.optimizers.unit_speed_flow:UNIT_SPEED_FLOW",
    "signsgd": "dlatlas.optimizers.signsgd:SIGNSGD",
    "steepest_descent": "dlatlas.optimizers.steepest_descent:STEEPEST_DESCENT",
    "dual_acceleration": "dlatlas.optimizers.dual_acceleration:DUAL_ACCELERATION",
    "mirror_descent": "dlatlas.optimizers.mirror_descent:MIRROR_DESCENT",
    "majority_vote": "dlatlas.optimizers.majority_vote:MAJORITY_VOTE",
}


def load(root: str) -> Any:  # noqa: ANN401
    """The object that ``module:name`` names."""
    module, _, name = root.partition(":")
    return getattr(import_module(module), name)


def find(registry: dict[str, str], kind: str, name: str) -> Any:  # noqa: ANN401
    """The entry ``name`` of a registry.

    Raises:
        InputError: no such entry; the nearest one is named.
    """
    if name not in registry:
        raise unknown("registry", kind, name, registry)
    return load(registry[name])
