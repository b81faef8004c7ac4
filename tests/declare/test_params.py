import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlatlas.declare.parameter import SEED, choice, count, flag, number
from dlatlas.declare.params import read_params
from dlatlas.declare.study import Study
from dlatlas.declare.variable import Variable
from dlatlas.errors import InputError

GOOD = """\
fixed:
  width: 8
axes:
  rate: [0.1, 0.2]
scales:
  smoke:
    axes:
      seed: {range: 2}
  laptop:
    fixed: {width: 16}
    axes:
      seed: {range: 5}
"""


def study(kind="solve"):
    return Study(
        title="", rows=("x",), kind=kind, says="", formula="", papers=(), claims=(), caption="",
        theory=lambda cube: cube, figure=lambda *a: None,
        parameters={
            "width": count(4, "width"),
            "rate": number(1.0, "rate", low=0.0),
            "shape": choice("round", ("round", "square"), "shape"),
            "centred": flag(True, "centred"),
            "steps": count(7, "steps"),
        },
    )  # fmt: skip


def read(tmp_path, text, scale="smoke", kind="solve", of=None):
    path = tmp_path / "toy.yaml"
    path.write_text(text)
    return read_params(path, of or study(kind), scale)


def test_a_scale_overrides_what_stands_above(tmp_path):
    assert read(tmp_path, GOOD, "laptop").fixed["width"] == 16
    assert read(tmp_path, GOOD).fixed["width"] == 8


def test_defaults_are_filled_in(tmp_path):
    point = read(tmp_path, GOOD)
    assert point.fixed == {"width": 8, "shape": "round", "centred": True, "steps": 7}
    assert point.dims == {"rate": {"rate": [0.1, 0.2]}, "seed": {"seed": [0, 1]}}


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("[0.5, 2]", [0.5, 2.0]),
        ("{linspace: [0, 1, 3]}", [0.0, 0.5, 1.0]),
        ("{geomspace: [1, 100, 3]}", [1.0, 10.0, 100.0]),
        ("{logspace: [-1, 1, 3]}", [0.1, 1.0, 10.0]),
        ("{range: [2, 9, 3]}", [2.0, 5.0, 8.0]),
        ("[1e-3]", [0.001]),
    ],
)
def test_every_form_of_axis(tmp_path, written, values):
    assert read(tmp_path, GOOD.replace("[0.1, 0.2]", written)).dims["rate"]["rate"] == values


def test_a_geometric_axis_of_whole_numbers_is_rounded_once_each(tmp_path):
    text = GOOD.replace("  rate: [0.1, 0.2]", "  steps: {geomspace: [1, 4, 9]}")
    assert read(tmp_path, text).dims["steps"]["steps"] == [1, 2, 3, 4]


def test_zipped_axes_are_one_dimension(tmp_path):
    text = GOOD.replace("axes:\n  rate: [0.1, 0.2]", "zip:\n  size: {steps: [1, 2], rate: [0.5, 0.25]}", 1)
    assert read(tmp_path, text).dims["size"] == {"steps": [1, 2], "rate": [0.5, 0.25]}


def test_a_zipped_column_may_repeat_a_value(tmp_path):
    text = GOOD.replace("axes:\n  rate: [0.1, 0.2]", "zip:\n  size: {steps: [1, 2, 1], rate: [0.5, 0.5, 0.25]}", 1)
    assert read(tmp_path, text).dims["size"] == {"steps": [1, 2, 1], "rate": [0.5, 0.5, 0.25]}


BAD = {
    "unknown key": (
        GOOD.replace("fixed:\n  width: 8", "fixd:\n  width: 8", 1),
        r'params/toy.yaml: fixd \(line 1\): unknown key "fixd"; did you mean "fixed"\?',
    ),
    "unknown hyper-parameter": (
        GOOD.replace("width: 8", "widht: 8"),
        r'params/toy.yaml: fixed \(line 1\): unknown hyper-parameter "widht"; did you mean "width"\?',
    ),
    "unknown axis": (
        GOOD.replace("  rate: [", "  raet: ["),
        r'axes.raet \(line 4\): unknown hyper-parameter "raet"; did you mean "rate"',
    ),
    "empty axis": (
        GOOD.replace("[0.1, 0.2]", "[]"),
        r"axes.rate \(line 4\): an axis needs at least one value, found none",
    ),
    "duplicated value": (
        GOOD.replace("[0.1, 0.2]", "[0.1, 0.2, 0.1]"),
        r"axes.rate\[2\] \(line 4\): 0.1 stands twice on this axis \(also at \[0\]\)",
    ),
    "not a number": (
        GOOD.replace("[0.1, 0.2]", "[0.1, fast]"),
        r"axes.rate\[1\] \(line 4\): expected a number of at least 0, found 'fast'",
    ),
    "also fixed": (
        GOOD.replace("width: 8", "rate: 8"),
        r"fixed.rate \(line 2\): rate is also an axis; keep one of the two",
    ),
    "negative rate": (
        GOOD.replace("[0.1, 0.2]", "[0.1, -0.2]"),
        r"axes.rate\[1\] \(line 4\): expected a number of at least 0, found -0.2",
    ),
    "negative width": (
        GOOD.replace("width: 8", "width: -8"),
        r"fixed.width \(line 2\): expected a positive integer, found -8",
    ),
    "fractional width": (
        GOOD.replace("width: 8", "width: 8.5"),
        r"fixed.width \(line 2\): expected a positive integer, found 8.5",
    ),
    "not one of the words": (
        GOOD.replace("width: 8", "shape: rund"),
        r'fixed.shape \(line 2\): unknown value "rund"; did you mean "round"\?',
    ),
    "neither true nor false": (
        GOOD.replace("width: 8", "centred: 1"),
        r"fixed.centred \(line 2\): expected true or false, found 1",
    ),
    "unknown form of axis": (
        GOOD.replace("[0.1, 0.2]", "{linspcae: [0, 1, 3]}"),
        r"axes.rate \(line 4\): expected a list of values or one of range, linspace, geomspace, logspace",
    ),
    "axis that is a word": (
        GOOD.replace("[0.1, 0.2]", "many"),
        r"axes.rate \(line 4\): expected a list of values or one of range.*found 'many'",
    ),
    "unknown scale in the file": (
        GOOD.replace("  laptop:", "  labtop:"),
        r'scales.labtop \(line 9\): unknown scale "labtop"; did you mean "laptop"\?',
    ),
    "unequal zipped axes": (
        GOOD.replace("axes:\n  rate: [0.1, 0.2]", "zip:\n  size: {steps: [1], rate: [0.5, 0.25]}", 1),
        r"zip.size \(line 4\): zipped axes differ in length: \{'steps': 1, 'rate': 2\}",
    ),
    "a zipped point that stands twice": (
        GOOD.replace("axes:\n  rate: [0.1, 0.2]", "zip:\n  size: {steps: [1, 2, 1], rate: [0.5, 0.5, 0.5]}", 1),
        r"zip.size \(line 4\): the point \(1, 0.5\) stands twice, at 2 too",
    ),
    "swept twice": (
        GOOD.replace("scales:", "zip:\n  size: {steps: [1, 2], rate: [0.5, 0.25]}\nscales:"),
        r"rate is swept twice, in rate and in size",
    ),
    "key that stands twice": (
        GOOD.replace("  width: 8", "  width: 8\n  width: 9"),
        r"fixed.width \(line 3\): stands twice; keep one of the two",
    ),
    "nothing": ("", r"params/toy.yaml: expected keys \(fixed, axes, zip, .*scales\), found nothing"),
    "a list": ("- 1\n", r"params/toy.yaml: expected keys \(fixed, .*\), found \[1\]"),
    "a second document": (GOOD + "---\n" + GOOD, r"params/toy.yaml: line \d+: a second document begins here"),
    "a word that is true": (
        GOOD.replace("width: 8", "shape: true"),
        r"fixed.shape \(line 2\): expected round or square, found True; a word that looks so is quoted",
    ),
    "a number that is none": (
        GOOD.replace("[0.1, 0.2]", "[1e-400, 0.2]"),
        r"axes.rate\[0\] \(line 4\): 1e-400 is no number that a float can hold, which takes it for 0.0",
    ),
    "no scales": (GOOD[: GOOD.index("scales:")], r"params/toy.yaml: the key 'scales' is missing"),
    "not YAML": (GOOD.replace("width: 8", "width: [8"), r"params/toy.yaml: line \d+: "),
    "geomspace across zero": (
        GOOD.replace("[0.1, 0.2]", "{geomspace: [0, 1, 3]}"),
        r"axes.rate.geomspace \(line 4\): both ends of a geomspace have one sign, found 0 and 1",
    ),
    "a zipped dimension named like an axis": (
        GOOD.replace("scales:", "zip:\n  rate: {steps: [1, 2], shape: [round, square]}\nscales:", 1),
        r"zip.rate \(line 6\): rate is a hyper-parameter that is not zipped here; call the dimension otherwise",
    ),
    **{
        f"a zipped dimension named {name!r}": (
            GOOD.replace("scales:", f"zip:\n  {name!r}: {{steps: [1, 2]}}\nscales:", 1),
            rf"zip.* \(line 6\): {said}",
        )
        for name, said in {
            "status": "the cube has something else of this name",
            "draw": "the cube has something else of this name",
            **dict.fromkeys(["step", "train_loss", "peak", "loss_trace"], "the cube has something else of this name"),
            "": "expected a name of letters, digits and underscores, found ''",
            "a/b": "expected a name of letters, digits and underscores, found 'a/b'",
        }.items()
    },
    "a zipped dimension of nothing": (
        GOOD.replace("scales:", "zip:\n  both: {}\nscales:", 1),
        r"zip.both \(line 6\): expected at least one hyper-parameter, found none",
    ),
    "an infinite value": (
        GOOD.replace("[0.1, 0.2]", "[0.1, .inf]"),
        r"axes.rate\[1\] \(line 4\): expected a number of at least 0, found inf",
    ),
    "no number": (
        GOOD.replace("[0.1, 0.2]", "[.nan]"),
        r"axes.rate\[0\] \(line 4\): expected a number of at least 0, found nan",
    ),
    "a number beyond floats": (
        GOOD.replace("[0.1, 0.2]", "[1e400]"),
        r"1e400 is no number that a float can hold, which takes it for inf",
    ),
    "an endless linspace": (
        GOOD.replace("[0.1, 0.2]", "{linspace: [0, .inf, 3]}"),
        r"axes.rate.linspace \(line 4\): expected finite numbers, found \[0, inf, 3\]",
    ),
    "a linspace of too many": (
        GOOD.replace("[0.1, 0.2]", "{linspace: [0, 1, 1e12]}"),
        r"axes.rate.linspace \(line 4\): expected a number of points from 1 to 10,000,000, found 1000000000000.0",
    ),
    "a logspace beyond floats": (
        GOOD.replace("[0.1, 0.2]", "{logspace: [0, 400, 3]}"),
        r"axes.rate\[2\] \(line 4\): expected a number of at least 0, found inf",
    ),
    "a sweep of too many": (
        GOOD.replace("{range: 2}", "{range: 20000}").replace("[0.1, 0.2]", "{linspace: [0, 1, 20000]}"),
        r"params/toy.yaml: expected at most 100,000,000 runs at scale smoke, found 20,000 rate × 20,000 seed$",
    ),
    "a form of axis that says too much": (
        GOOD.replace("[0.1, 0.2]", f"{{linspace: {[0] * 500}}}"),
        r"axes.rate \(line 4\): expected a list of values .*found .{1,130}$",
    ),
    "a range of step 0": (
        GOOD.replace("{range: 2}", "{range: [0, 10, 0]}"),
        r"axes.seed.range \(line 8\): expected a step other than 0, found \[0, 10, 0\]",
    ),
    "a range of too many": (
        GOOD.replace("{range: 2}", "{range: 99999999999999999999}"),
        r"axes.seed.range \(line 8\): expected at most 10,000,000 values, found \[99999999999999999999\]",
    ),
    "a seed that floats cannot tell from the next": (
        GOOD.replace("{range: 2}", "[9007199254740993]"),
        r"axes.seed\[0\] \(line 8\): expected an integer of at least 0, below 2\*\*53 = 9007199254740992, found 90.*93",
    ),
    "a number that no float is": (
        GOOD.replace("[0.1, 0.2]", "[9007199254740993]"),
        r"axes.rate\[0\] \(line 4\): expected a number of at least 0 that a float can hold, found 9007199254740993",
    ),
    "an octal number": (GOOD.replace("width: 8", "width: 010"), r"fixed.width \(line 2\): 010 is .*; write 10"),
    "measures of a solve study": (
        GOOD + "measures: [train_loss]\n",
        r"measures \(line 13\): only studies of kind train have measures",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_that_names_file_line_key_found_and_allowed(tmp_path, case):
    text, expected = BAD[case]
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert re.search(expected, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_scale_that_does_not_exist(tmp_path):
    with pytest.raises(InputError, match=r"toy\.yaml: no scale 'cluster'; this file has smoke, laptop"):
        read(tmp_path, GOOD, "cluster")


def test_an_unknown_measure_is_named_with_the_nearest(tmp_path):
    text = GOOD + "measures: [train_los]\n"
    with pytest.raises(
        InputError, match=r'measures\[0\] \(line 13\): unknown measure "train_los"; did you mean "train_loss"'
    ):
        read(tmp_path, text.replace("steps", "stride"), kind="train")


def test_a_measure_named_like_a_hyper_parameter_is_an_error(tmp_path):
    clashing = replace(study("train"), parameters={**study().parameters, "path_norm": flag(True, "a hyper-parameter")})
    with pytest.raises(InputError, match=r"measures\[0\] \(line 13\): 'path_norm' is also a hyper-parameter"):
        read(tmp_path, GOOD + "measures: [path_norm]\n", of=clashing)


@pytest.mark.parametrize(
    ("key", "near"), [("model: mpl", "mlp"), ("data: digit", "digits"), ("optimizer: adm", "adam")]
)
def test_an_unknown_model_data_set_or_optimizer_is_named_with_the_nearest(tmp_path, key, near):
    text = GOOD.replace("width: 8", key) + "measures: [train_loss]\n"
    with pytest.raises(InputError, match=f'did you mean "{near}"'):
        read(tmp_path, text, kind="train")


@given(st.lists(st.floats(0, 1e6, allow_nan=False).map(lambda v: float(f"{v:.6g}")), min_size=1, unique=True))
def test_a_listed_axis_comes_back_as_written(tmp_path_factory, values):
    text = GOOD.replace("[0.1, 0.2]", repr(values))
    assert read(tmp_path_factory.mktemp("axis"), text).dims["rate"]["rate"] == values


def test_every_study_has_a_seed():
    assert set(SEED) <= set(study().all_parameters())


@pytest.mark.parametrize("name", ["step", "trace_step", "loss_trace", "train_loss", "layer_norms", "layer", "mine"])
def test_a_zipped_dimension_is_nothing_that_the_cube_of_a_training_has(tmp_path, name):
    of = replace(study("train"), variables={"mine": Variable("mine")})
    text = GOOD.replace("scales:", f"zip:\n  {name}: {{steps: [1, 2]}}\nscales:", 1) + "measures: [layer_norms]\n"
    with pytest.raises(InputError, match=rf"zip.{name} \(line 6\): the cube has something else of this name"):
        read(tmp_path, text, of=of)


@pytest.mark.parametrize("name", ["layer", "layer_norms"])
@pytest.mark.parametrize(("what", "said"), [("parameters", "a hyper-parameter"), ("variables", "a variable")])
def test_a_measure_and_its_dimensions_have_names_of_their_own(tmp_path, name, what, said):
    own = {"parameters": {**study().parameters, name: count(1, "mine")}, "variables": {name: Variable("mine")}}
    with pytest.raises(InputError, match=rf"measures\[0\] \(line 13\): .*'{name}'.* is also {said} of this study"):
        read(tmp_path, GOOD + "measures: [layer_norms]\n", of=replace(study("train"), **{what: own[what]}))


class Claimed:
    name = "claim"


@pytest.mark.parametrize("kind", ["train", "solve"])
@pytest.mark.parametrize("what", ["parameters", "variables"])
@pytest.mark.parametrize("name", ["peak", "loss_trace", "diverged_at", "step", "status", "not a name"])
def test_names_of_the_engine_are_refused_before_anything_is_trained(kind, what, name):
    own = {name: count(1, "mine") if what == "parameters" else Variable("mine")}
    record = replace(study(kind), claims=(Claimed(),), **{what: own})
    taken = name in ("status", "not a name") or kind == "train"
    if taken:
        with pytest.raises(InputError, match=f"toy.py: {what}: '{name}' is a name of the engine, or none"):
            record.checked("toy.py")
    else:
        assert record.checked("toy.py") is record


@pytest.mark.parametrize("dim", ["width", "seed", "status", "draw", "mine", "other", "a/b"])
def test_a_variable_has_no_dimension_that_is_something_else(dim):
    variables = {"mine": Variable("mine", dims={dim: None}), "other": Variable("other")}
    with pytest.raises(InputError, match=f"toy.py: variables: mine: its dimension '{dim}' is also a hyper"):
        replace(study(), claims=(Claimed(),), variables=variables).checked("toy.py")
    steps = {"mine": Variable("mine", dims={"step": None})}
    assert replace(study("train"), claims=(Claimed(),), variables=steps).checked("toy.py").variables == steps
