import re
from pathlib import Path

import pytest

from dlatlas.declare.bibliography import Paper
from dlatlas.declare.cite import bibtex, cite
from dlatlas.declare.lab import Lab

LAB = Lab.read(Path(__file__).parents[2])


def fields(entry):
    return dict(re.findall(r"^  (\w+) = \{(.*)\},$", entry, flags=re.MULTILINE))


@pytest.mark.parametrize(
    ("authors", "listed"),
    [
        ("Kramers", "Kramers"),
        ("Ji & Telgarsky", "Ji and Telgarsky"),
        ("Sedghi, Gupta & Long", "Sedghi and Gupta and Long"),
        ("Sedghi, Gupta, & Long", "Sedghi and Gupta and Long"),
        ("Soudry et al.", "Soudry and others"),
    ],
)
def test_authors_are_listed_as_bibtex_wants_them(authors, listed):
    assert fields(bibtex(Paper("k", authors, "T", "V", 2020)))["author"] == listed


def test_special_characters_are_escaped_but_not_in_an_address():
    entry = bibtex(Paper("k", "A", "50 % of R_n & more", "V", 2020, "https://x.org/a_b%20c"))
    assert fields(entry)["title"] == r"{50 \% of R\_n \& more}"
    assert fields(entry)["url"] == "https://x.org/a_b%20c"


@pytest.mark.parametrize("name", LAB.chapters)
def test_every_study_s_citation_has_balanced_braces_and_unique_keys(name):
    study = LAB.study(name)
    signature = {"commit": "c0ffee", "date": "2026-01-02T00:00:00Z", "dirty": False, "cube": "abc"}
    text = cite(name, study, signature)
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")
    keys = re.findall(r"^@misc\{(\w+),$", text, flags=re.MULTILINE)
    assert len(keys) == len(set(keys)) == 1 + len(study.papers)
    assert fields(text.split("\n\n")[0])["year"] == "2026"
    assert fields(text.split("\n\n")[0])["note"] == "commit c0ffee, cube abc"
