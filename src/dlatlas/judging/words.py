"""What a statistic is, in words: from its own, the labels of what it looks at, and where."""

from typing import TYPE_CHECKING, Any

from dlatlas.declare.claim import settings_in_words

if TYPE_CHECKING:
    import xarray as xr

    from dlatlas.declare.study import Study
    from dlatlas.judging.statistics import Statistic


def quantity(statistic: "Statistic", cube: "xr.Dataset", study: "Study | None" = None) -> str:
    """``"smallest mean of noise over its bound, features = tanh or cos [1]"``."""
    text, units = _said(statistic, cube, study)
    places = dict.fromkeys(settings_in_words(leaf.where) for leaf in statistic.leaves() if leaf.where)
    return f"{', '.join([text, *places] if len(places) < 2 else [text])} [{units}]"


def _said(statistic: "Statistic", cube: "xr.Dataset", study: "Study | None") -> tuple[str, str]:
    if statistic.parts:
        said = [f"{part:g}" if isinstance(part, int | float) else _part(part, cube, study) for part in statistic.parts]
        first = next(part for part in statistic.parts if not isinstance(part, int | float))
        return statistic.words.format(*said), statistic.units or _said(first, cube, study)[1]
    labels = [label(of, cube, study) for of in statistic.of]
    prediction = statistic.settings.get("prediction")
    text = statistic.words.format(
        of=labels[0][0] if labels else "",
        along=statistic.along if statistic.along in cube.coords else label(statistic.along, cube, study)[0],
        prediction="the theory" if prediction is None else label(prediction, cube, study)[0],
        **{name: value for name, value in statistic.settings.items() if name != "prediction"},
    )
    return text, statistic.units or (labels[0][1] if labels else "1")


def _part(statistic: "Statistic", cube: "xr.Dataset", study: "Study | None") -> str:
    text = _said(statistic, cube, study)[0]
    if statistic.words.startswith("{} "):  # a - (b - c)
        text = f"({text})"
    where = settings_in_words(statistic.where)
    return f"{text} ({where})" if where else text


def label(of: Any, cube: "xr.Dataset", study: "Study | None" = None) -> tuple[str, str]:  # noqa: ANN401
    """Long name and unit of an observable, variable or prediction."""
    if of is None:
        return "", "1"
    found = study.observables.get(of, of) if study is not None and isinstance(of, str) else of
    if not isinstance(found, str):
        long_name = getattr(found, "long_name", "")
        name = of if isinstance(of, str) else getattr(found, "__name__", "it")
        return long_name or name.strip("<>").replace("_", " "), getattr(found, "units", "1")
    if found in cube.variables and "long_name" in cube[found].attrs and found not in cube.coords:
        return cube[found].attrs["long_name"], cube[found].attrs.get("units", "1")
    return found.removeprefix("theory.").replace("_", " "), "1"
