"""What a study said before, and claims that are younger than the data that they are judged on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlatlas.judging.history import brief, changed, mark, overlap, past, spans

SEEDS = st.sets(st.integers(0, 60), min_size=1, max_size=20)


@given(SEEDS)
def test_seeds_in_a_few_letters_are_the_seeds(seeds):
    back = set()
    for part in spans(seeds).split(", "):
        first, _, last = part.partition("-")
        back |= set(range(int(first), int(last or first) + 1))
    assert back == seeds


@given(SEEDS, SEEDS)
def test_two_lists_overlap_where_they_have_a_seed_in_common(one, other):
    assert overlap(spans(one), spans(other)) == bool(one & other)


def test_no_seeds_overlap_with_nothing():
    assert not overlap("", "0-9")
    assert spans([]) == ""


def entry(commit, seeds, digest="d1", verdict="supported", before=()):
    claims = {"rate": {"verdict": verdict, "estimate": 1.0, "low": 0.9, "high": 1.1, "digest": digest, "p": 0.01}}
    whole = {"verdict": verdict, "claims": claims}
    one = {"commit": commit * 40, "date": "2026-12-01T00:00:00", "cube": "c", "seeds": seeds, "verdict": whole}
    return {**one, "before": list(before)} if before else one


def test_a_claim_that_was_stated_when_its_seeds_were_first_judged_has_no_mark():
    history = past(entry("b", "0-9", before=[brief(entry("a", "0-4"))]))
    assert [one["commit"][0] for one in history] == ["a", "b"]
    assert mark("d1", "0-9", history) == ""


def test_a_claim_changed_after_its_sweep_is_marked_and_one_on_fresh_seeds_is_not():
    history = past(entry("a", "0-9"))
    assert mark("d2", "5-14", history) == "stated after some of its seeds had been judged (2026-12-01, aaaaaaaaaaaa)"
    assert mark("d2", "10-19", history) == ""
    assert mark("d2", "0-9", []) == ""


def test_a_pilot_counts_whatever_came_after_it():
    """The claim was changed between the first sweep and the second, of which the ledger knows both."""
    history = past(entry("b", "0-9", digest="d2", before=[brief(entry("a", "0-9", digest="d1"))]))
    assert "aaaaaaaaaaaa" in mark("d2", "0-9", history)


def test_what_was_published_before_claims_had_digests_is_said_to_be_so():
    old = entry("a", "0-9")
    del old["verdict"]["claims"]["rate"]["digest"]
    assert "when claims had no digests" in mark("d1", "0-9", past(old))


@pytest.mark.parametrize(("then", "expected"), [("undecided", 1), ("supported", 0)])
def test_only_what_said_otherwise_is_listed(then, expected):
    history = past(entry("b", "0-9", verdict=then, before=[brief(entry("a", "0-9", verdict=then))]))
    found = changed({"claims": [{"name": "rate", "verdict": "supported"}]}, history)
    assert len(found) == expected
    assert [one["holds"] for one in found] == [0] * expected
