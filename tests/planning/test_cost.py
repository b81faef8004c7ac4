import pytest

from dlatlas.errors import InputError
from dlatlas.identity.store import write_json
from dlatlas.planning.cost import cost


def test_seconds_add_up_and_every_machine_is_named(tmp_path):
    def shard(name, seconds, torch):
        made = {"versions": {"torch": torch, "numpy": "2.4"}, "machine": {"processor": "x86_64"}}
        write_json(tmp_path / name, {"seconds": seconds, **made})
        return tmp_path / name

    measured = tmp_path / "measured.json"
    write_json(measured, {"seconds": 0.5})
    found = cost([shard("a", 1.25, "2.14"), shard("b", 2.0, "2.13"), measured, tmp_path / "not yet"])
    assert found["seconds"] == 3.75
    assert found["versions"] == {"numpy": "2.4", "torch": "2.13 / 2.14"}
    assert found["machine"] == {"processor": "x86_64"}


def test_a_half_manifest_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match=r"a\.json: not a whole JSON record"):
        cost([tmp_path / "a.json"])
