"""Names in claims and panels that the cube will not have are refused before anything is trained, in one line."""

from dataclasses import replace

import pytest

from dlatlas import but, claim, exchangeable, panel, where
from dlatlas.declare.names import check_names
from dlatlas.declare.params import Point
from dlatlas.errors import InputError
from dlatlas.judging.statistics import average, deviation, exponent, smallest

FILE = "dltheory/overparametrization/double_descent.py"
POINT = Point(
    dims={
        "features": {"features": ["gaussian", "tanh", "one_hot"]},
        "p": {"p": [10, 20, 80]},
        "seed": {"seed": [0, 1]},
    },
    fixed={"n": 40, "tests": 200},
    measures=[],
    shard_runs=10,
)


@pytest.fixture(scope="module")
def study(lab):
    return lab.study("double_descent")


def checked(study, **changes):
    check_names(replace(study, **{"picture": [], "claims": [], **changes}), POINT)


def made(expects, fails=None, **options):
    fails = fails or where("it has to", features="tanh")
    return claim("rate", "It falls.", "theorem 3", expects, fails=fails, **{"rival": exchangeable("p"), **options})


def test_names_that_the_cube_will_have_pass(study):
    gaussian = {"features": "gaussian", "n": 40, "p": (15, None)}
    checked(
        study,
        claims=[made(exponent("over_bound", along="p", where=gaussian).within(0, 1)), made(average("noise") >= 0)],
        picture=[panel("noise", "p", by="features", where={"p": [10, 20]}, mark={"x": 40, "y": 1})],
    )


BAD = {
    "an observable": (
        average("noize") >= 0,
        'claim \'rate\': unknown observable or variable "noize"; did you mean "noise"?',
    ),
    "a coordinate": (
        average("noise", where={"feature": "tanh"}) >= 0,
        "claim 'rate': unknown coordinate \"feature\"; did",
    ),
    "a value": (
        average("noise", where={"features": "relu"}) >= 0,
        'unknown value of features "relu"; allowed: gaussian, one_hot',
    ),
    "a range": (
        average("noise", where={"p": (100, None)}) >= 0,
        "p has no value from 100 to None; it has 10, 20, 80",
    ),
    "a fixed value": (average("noise", where={"n": 41}) >= 0, 'unknown value of n "41"; allowed: 40'),
    "an axis": (exponent("noise", along="q").within(0, 1), 'unknown observable or variable "q"'),
    "a dimension": (
        exponent("noise", along="p", each=("layer",)).within(0, 1),
        'each: unknown dimension "layer"; allowed: features, p',
    ),
    "one of several": (
        smallest("noise") - average("bais") >= 0,
        'unknown observable or variable "bais"; did you mean "bias"?',
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_claim_that_names_what_is_not_there_is_refused(study, case):
    expects, said = BAD[case]
    with pytest.raises(InputError) as error:
        checked(study, claims=[made(expects)])
    assert str(error.value).startswith(f"{FILE}: claim 'rate'")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_control_a_shuffle_and_a_variable_to_be_shuffled_are_looked_at_too(study):
    for options, said in (
        ({"fails": but("it has to", of="risc")}, "claim 'rate': control: unknown observable or variable \"risc\""),
        ({"fails": where("it has to", features="relu")}, "claim 'rate': control: unknown value of features \"relu\""),
        (
            {"rival": exchangeable("width")},
            "claim 'rate': rival: unknown dimension \"width\"; allowed: features, p, seed",
        ),
        ({"rival": exchangeable("p", "nois")}, 'claim \'rate\': rival: unknown variable "nois"; did you mean "noise"?'),
    ):
        with pytest.raises(InputError) as error:
            checked(study, claims=[made(average("noise") >= 0, **options)])
        assert said in str(error.value)


@pytest.mark.parametrize(
    ("drawn", "said"),
    [
        (panel("noise", "q"), 'panel 1: x: unknown observable or variable "q"'),
        (panel("nois", "p"), 'panel 1: y: unknown observable or variable "nois"; did you mean "noise"?'),
        (panel("noise", "p", by="feature"), 'panel 1: by: unknown coordinate "feature"; did you mean "features"?'),
        (panel("noise", "p", where={"width": 3}), 'panel 1: where: unknown coordinate "width"'),
        (panel("noise", "p", grey={"features": "relu"}), 'panel 1: grey: unknown value of features "relu"'),
        (panel("noise", "p", mark={"width": 3}), 'panel 1: mark: unknown axis "width"; allowed: x, y'),
        (panel("noise", "p", also=panel("ridge", "p")), 'panel 1: y: unknown observable or variable "ridge"; did'),
    ],
)
def test_a_panel_that_names_what_is_not_there_is_refused(study, drawn, said):
    with pytest.raises(InputError) as error:
        checked(study, picture=[drawn])
    assert f"{FILE}: {said}" in str(error.value)


def test_a_control_that_changes_nothing_is_refused():
    for fails in (where("it has to", features="tanh"), but("it has to", of="noise"), but("it has to", prediction=None)):
        with pytest.raises(InputError, match="claim 'rate': its control changes nothing"):
            made(deviation("noise", where={"features": "tanh"}) <= 1, fails=fails)
