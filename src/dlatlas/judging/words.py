"""What a statistic is, in words: from its own, the labels of what it looks at, and where."""

from typing import TYPE_CHECKING, Any

from dlatlas.declare.claim import settings_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from dlatlas.declare.statistic import Statistic
    from dlatlas.declare.study import Study


def quantity(statistic: "Statistic", study: "Study | None" = None, cube: "xr.Dataset | None" = None) -> str:
    """``"smallest mean of noise over its bound, features = tanh or cos [1]"``.

    Where a statistic is made of others, what they share of where they are looked at is said once, at the end.
    """
    places = [leaf.where for leaf in statistic.leaves() if not leaf.parts]
    shared = {name: value for name, value in places[0].items() if all(_has(place, name, value) for place in places)}
    text, units = _said(statistic, study, cube, shared)
    said = settings_in_words(shared)
    return f"{text}, {said} [{units}]" if said else f"{text} [{units}]"


def _has(where: "Mapping[str, Any]", name: str, value: Any) -> bool:  # noqa: ANN401
    return name in where and where[name] == value


def _said(
    statistic: "Statistic", study: "Study | None", cube: "xr.Dataset | None", shared: "Mapping[str, Any]"
) -> tuple[str, str]:
    if statistic.parts:
        said = [
            f"{part:g}" if isinstance(part, int | float) else _part(part, study, cube, shared)
            for part in statistic.parts
        ]
        first = next(part for part in statistic.parts if not isinstance(part, int | float))
        return statistic.words.format(*said), statistic.units or _said(first, study, cube, shared)[1]
    labels = [label(of, study, cube) for of in statistic.of]
    prediction = statistic.settings.get("prediction")
    text = statistic.words.format(
        **{name: value for name, value in statistic.settings.items() if name != "prediction"},
        of=labels[0][0] if labels else "",
        along=statistic.along if _is_coordinate(statistic.along, cube) else label(statistic.along, study, cube)[0],
        prediction="the theory" if prediction is None else label(prediction, study, cube)[0],
    )
    return text, statistic.units or (labels[0][1] if labels else "1")


def _is_coordinate(of: Any, cube: "xr.Dataset | None") -> bool:  # noqa: ANN401
    return isinstance(of, str) and cube is not None and of in cube.coords


def _part(statistic: "Statistic", study: "Study | None", cube: "xr.Dataset | None", shared: "Mapping[str, Any]") -> str:
    text = _said(statistic, study, cube, shared)[0]
    if statistic.words.startswith("{} "):  # a - (b - c)
        text = f"({text})"
    own = {} if statistic.parts else {name: value for name, value in statistic.where.items() if name not in shared}
    where = settings_in_words(own)
    return f"{text} ({where})" if where else text


def label(of: Any, study: "Study | None" = None, cube: "xr.Dataset | None" = None) -> tuple[str, str]:  # noqa: ANN401
    """Long name and unit of an observable, variable or prediction."""
    if of is None:
        return "", "1"
    found = of
    if isinstance(of, str) and study is not None:
        found = study.observables.get(of) or study.variables.get(of) or of
    if not isinstance(found, str):
        name = of if isinstance(of, str) else getattr(found, "__name__", "it")
        return getattr(found, "long_name", "") or name.strip("<>").replace("_", " "), getattr(found, "units", "1")
    if cube is not None and found in cube.data_vars and "long_name" in cube[found].attrs:
        return cube[found].attrs["long_name"], cube[found].attrs.get("units", "1")
    return found.removeprefix("theory.").replace("_", " "), "1"
