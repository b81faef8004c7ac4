"""Every formula of every study is typeset, and no text of a study has a character that nobody sees."""

import re
from pathlib import Path

import pytest
from latex2mathml.converter import convert
from latex2mathml.exceptions import NoAvailableTokensError

from dlatlas.declare.lab import Lab

LAB = Lab.read(Path(__file__).parents[2])


def shown(mathml):
    """The text of a formula, without its markup."""
    return re.sub(r"<[^>]*>|\s", "", mathml)


def faults(formula):
    """What is wrong with a formula, in words."""
    found = [f"control character U+{ord(letter):04X}" for letter in formula if ord(letter) < 32 and letter != "\n"]
    if found:
        return found
    try:
        text = shown(convert(formula))
    except NoAvailableTokensError:
        return ["empty"]
    return [f"unknown command {name}" for name in re.findall(r"\\[A-Za-z]+", text)] or ([] if text else ["empty"])


@pytest.mark.parametrize("name", LAB.chapters)
def test_every_formula_is_typeset(name):
    assert faults(LAB.study(name).formula) == []


@pytest.mark.parametrize("name", LAB.chapters)
def test_no_text_has_a_character_that_nobody_sees(name):
    study = LAB.study(name)
    claims = [text for claim in study.claims for text in (claim.name, claim.statement, claim.source, claim.because)]
    papers = [str(paper) for paper in LAB.papers(study)]
    for text in (study.title, study.says, study.formula, study.caption, study.about, *claims, *papers):
        assert not [letter for letter in text if ord(letter) < 32 and letter != "\n"], text


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("\frac{1}{2}", ["control character U+000C"]),
        (r"\farc{1}{2}", [r"unknown command \farc"]),
        ("x\tanh", ["control character U+0009"]),
        (r"\frac{1}{2} \le \lambda_{\max}", []),
        (" ", ["empty"]),
    ],
)
def test_the_check_finds_what_it_is_for(formula, said):
    assert faults(formula) == said
