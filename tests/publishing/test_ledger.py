import hashlib
import json
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as some

from dlatlas.cubes.cube import write_cube
from dlatlas.declare.outcome import OUTCOMES
from dlatlas.errors import InputError
from dlatlas.publishing import ledger

ARRAYS = some.arrays(np.float64, some.array_shapes(max_dims=3, max_side=6), elements=st.floats(-1e9, 1e9))


def test_a_digest_is_that_of_the_numbers_written_one_after_another():
    values = np.array([[1.5, -2.0], [0.0, np.inf]])
    content = b"".join(struct.pack("<d", number) for number in (1.5, -2.0, 0.0, np.inf))
    assert ledger.variable_digest(values) == hashlib.sha256(content).hexdigest()


@given(ARRAYS)
def test_a_digest_does_not_depend_on_memory_order_or_byte_order(values):
    expected = ledger.variable_digest(values)
    assert ledger.variable_digest(np.asfortranarray(values)) == expected
    assert ledger.variable_digest(values.astype(">f8")) == expected
    assert ledger.variable_digest(np.stack([values, values], axis=-1)[..., 0]) == expected


@given(ARRAYS, st.data())
def test_one_changed_number_changes_the_digest(values, data):
    place = tuple(data.draw(st.integers(0, size - 1)) for size in values.shape)
    changed = values.copy()
    changed[place] = np.nextafter(changed[place], np.inf)
    assert ledger.variable_digest(changed) != ledger.variable_digest(values)


def test_a_digest_does_not_depend_on_chunks_and_compression(tmp_path):
    values = np.random.default_rng(1).normal(size=(4, 6))
    held = xr.Dataset({"loss": (("lr", "seed"), values)})
    write_cube(held, tmp_path / "one.zarr")
    encoding = {"loss": {"chunks": (1, 2), "compressors": None}}
    held.to_zarr(tmp_path / "two.zarr", zarr_format=3, consolidated=False, encoding=encoding)
    digests = {ledger.variable_digest(xr.open_zarr(tmp_path / name, consolidated=False)["loss"].values)
               for name in ("one.zarr", "two.zarr")}  # fmt: skip
    assert digests == {ledger.variable_digest(values)}


def test_a_summary_counts_finite_numbers_only():
    found = ledger.summary(xr.DataArray([[1.0, 2.0], [3.0, np.nan], [np.inf, 6.0]], dims=("lr", "width")))
    assert (found["n"], found["mean"], found["sd"]) == (4, 3.0, 1.87083)
    assert found["quantiles"] == {"0": 1.0, "0.25": 1.75, "0.5": 2.5, "0.75": 3.75, "1": 6.0}
    assert found["standard_error"] is None


def test_a_variable_without_a_finite_number_has_no_statistics():
    found = ledger.summary(xr.DataArray([np.nan, np.inf], dims="seed"))
    assert (found["n"], found["mean"], found["sd"], found["standard_error"]) == (0, None, None, None)
    assert set(found["quantiles"].values()) == {None}


def test_the_standard_error_is_that_of_a_mean_over_seeds():
    draws = np.random.default_rng(2).normal(scale=3.0, size=(400, 25))
    assert ledger.standard_error(draws, 1) == pytest.approx(3.0 / 5, rel=0.03)
    assert ledger.standard_error(draws[:, :1], 1) is None
    assert ledger.standard_error(np.array([[1.0, 3.0], [5.0, np.nan]]), 1) == pytest.approx(1.0)


def test_neither_diverging_nor_settled_points_are_typical():
    values = np.array([[1.0, 3.0], [1e200, -1e200], [2.0, 4.0], [7.0, 7.0], [7.0, 7.0], [7.0, 7.0], [7.0, 7.0]])
    assert ledger.standard_error(values, 1) == pytest.approx(1.0)
    assert ledger.standard_error(values[3:], 1) == 0.0


def test_a_variable_that_overflows_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ledger.summary(xr.DataArray([1e200, -1e200, 3.0], dims="seed"))
    assert found["sd"] is None
    assert found["quantiles"]["0.5"] == 3.0


@pytest.mark.parametrize(
    ("value", "shown"), [(1 / 3, 0.333333), (123456789.0, 123457000.0), (-0.0, 0.0), (np.nan, None)]
)
def test_numbers_are_rounded_to_six_digits(value, shown):
    assert ledger.significant(value) == shown


ENTRY = {"runs": 3, "cube": "x", "verdict": {"verdict": "supported"}}
OLD = {"schema": 1, "studies": {"a": {"runs": 1}, "b": ENTRY}}


def lay(root, name, record):
    """Writes a file under ``results/``."""
    path = root / "results" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(record if isinstance(record, str) else json.dumps(record))


def files(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_an_entry_comes_back_as_it_was_with_sorted_keys_one_line_a_leaf(tmp_path):
    ledger.write_entry(tmp_path, "b", ENTRY)
    ledger.write_entry(tmp_path, "a", {"runs": 1})
    assert ledger.read_ledger(tmp_path) == {"a": {"runs": 1}, "b": ENTRY}
    assert files(tmp_path) == ["results/ledger/a.json", "results/ledger/b.json"]
    lines = (tmp_path / "results" / "ledger" / "b.json").read_text().splitlines()
    leaves = [line.strip().rstrip(",") for line in lines if line.strip(" ,{}") and not line.endswith("{")]
    assert leaves == ['"cube": "x"', '"runs": 3', '"schema": 2', '"study": "b"', '"verdict": "supported"']


def test_no_ledger_is_an_empty_one(tmp_path):
    assert ledger.read_ledger(tmp_path) == {}
    assert ledger.read_entry(tmp_path, "edge") is None


def test_one_study_s_entry_is_read_without_those_of_others(tmp_path):
    ledger.write_entry(tmp_path, "b", ENTRY)
    lay(tmp_path, "ledger/a.json", "<<<<<<< HEAD")
    lay(tmp_path, "ledger.json", "<<<<<<< HEAD")
    assert ledger.read_entry(tmp_path, "b") == ENTRY
    assert ledger.read_ledger(tmp_path, ["b"]) == {"b": ENTRY}


@pytest.mark.parametrize("name", ["ledger/edge.json", "ledger.json"])
@pytest.mark.parametrize("text", ["", "[]", '{"studies": {}}', '{"schema": 2}', '{"schema": 1}', "<<<<<<< HEAD"])
def test_what_is_no_ledger_is_named(tmp_path, name, text):
    lay(tmp_path, name, text)
    with pytest.raises(InputError, match=rf"^results/{name}: not a ledger .*; restore it from git$"):
        ledger.read_ledger(tmp_path)


def test_what_is_no_text_is_no_ledger(tmp_path):
    lay(tmp_path, "ledger/edge.json", "")
    (tmp_path / "results" / "ledger" / "edge.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(InputError, match=r"^results/ledger/edge\.json: not a ledger .*; restore it from git$"):
        ledger.read_entry(tmp_path, "edge")


def test_a_ledger_of_another_schema_is_named(tmp_path):
    lay(tmp_path, "ledger/edge.json", {"schema": 3, "study": "edge"})
    with pytest.raises(InputError, match=r"results/ledger/edge\.json: schema: expected 1 or 2, found 3"):
        ledger.read_ledger(tmp_path)


def test_an_entry_under_another_study_s_name_is_named(tmp_path):
    ledger.write_entry(tmp_path, "edge", ENTRY)
    (tmp_path / "results" / "ledger" / "edge.json").rename(tmp_path / "results" / "ledger" / "egde.json")
    with pytest.raises(InputError, match=r'results/ledger/egde\.json: study: expected "egde", found "edge"'):
        ledger.read_entry(tmp_path, "egde")


# The single file of before.


def test_the_single_file_of_before_is_read_and_a_study_s_own_file_goes_first(tmp_path):
    lay(tmp_path, "ledger.json", OLD)
    assert ledger.read_ledger(tmp_path) == OLD["studies"]
    ledger.write_entry(tmp_path, "b", {"runs": 4})
    ledger.write_entry(tmp_path, "c", {"runs": 5})
    assert ledger.published(tmp_path) == ["a", "b", "c"]
    assert ledger.read_ledger(tmp_path) == {"a": {"runs": 1}, "b": {"runs": 4}, "c": {"runs": 5}}


def test_splitting_loses_nothing(tmp_path):
    lay(tmp_path, "ledger.json", OLD)
    ledger.write_entry(tmp_path, "c", {"runs": 5})
    assert ledger.split_ledger(tmp_path)
    assert files(tmp_path) == [f"results/ledger/{name}.json" for name in "abc"]
    assert ledger.read_ledger(tmp_path) == {**OLD["studies"], "c": {"runs": 5}}
    assert not ledger.split_ledger(tmp_path)


def test_a_split_that_was_killed_is_gone_on_with(tmp_path):
    lay(tmp_path, "ledger.json", OLD)
    ledger.write_entry(tmp_path, "a", OLD["studies"]["a"])
    assert ledger.split_ledger(tmp_path)
    assert ledger.read_ledger(tmp_path) == OLD["studies"]


def test_a_split_that_would_lose_an_entry_is_refused_and_changes_nothing(tmp_path):
    lay(tmp_path, "ledger.json", OLD)
    ledger.write_entry(tmp_path, "b", {"runs": 4})
    with pytest.raises(InputError, match=r"^results/ledger\.json: studies\.b: not what results/ledger/b\.json says; "):
        ledger.split_ledger(tmp_path)
    assert files(tmp_path) == ["results/ledger.json", "results/ledger/b.json"]
    assert ledger.read_entry(tmp_path, "b") == {"runs": 4}


def test_this_repository_s_ledger_is_whole():
    root = Path(__file__).parents[2]
    assert not (root / "results" / "ledger.json").exists()
    for study, entry in ledger.read_ledger(root).items():
        assert (root / "results" / f"{study}.dvc").is_file()
        assert (root / ledger.entry_file(study)).read_bytes() == ledger.entry_bytes(study, entry)
        assert entry["verdict"]["verdict"] in OUTCOMES
