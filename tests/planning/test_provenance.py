import json

import pytest
from PIL import Image

from dlatlas.errors import InputError
from dlatlas.planning.provenance import provenance, read_signature, signed

NOW = {"commit": "c0ffee", "date": "2026-01-02T03:04:05+00:00", "dirty": False}


def test_a_signature_holds_nothing_of_the_clock():
    made = [signed(provenance("edge", "smoke", {"cube": "abc"}, NOW)) for _ in range(2)]
    assert made[0] == made[1]
    assert json.loads(made[0])["date"] == NOW["date"]
    assert json.loads(made[0])["again"] == "snakemake --cores all --config studies=edge scale=smoke"


def test_a_signature_cannot_end_the_script_that_holds_it(tmp_path):
    nasty = signed(provenance("edge", "smoke", {"cite": "</script><b>"}, NOW))
    assert "</script>" not in nasty
    page = tmp_path / "renamed"
    page.write_text(f'<html><script type="application/json" id="signature">{nasty}</script></html>')
    assert read_signature(page)["cite"] == "</script><b>"


FOREIGN = {
    "empty": b"",
    "text": b"hello",
    "bytes": bytes(range(256)),
    "svg of another program": b"<svg><dc:description>a drawing</dc:description></svg>",
    "json of another program": b'<svg><dc:description>{"a": 1}</dc:description></svg>',
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_that_is_not_ours_is_one_line(tmp_path, kind):
    (tmp_path / "file").write_bytes(FOREIGN[kind])
    with pytest.raises(InputError, match=r"^[^\n]*file: not a file of the atlas: [^\n]*$"):
        read_signature(tmp_path / "file")


def test_a_foreign_and_a_truncated_png_are_told_apart(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (40, 40)).save(path)
    with pytest.raises(InputError, match="it carries no signature"):
        read_signature(path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match="not a whole PNG file"):
        read_signature(path)


def test_a_damaged_signature_is_named(tmp_path):
    (tmp_path / "a.svg").write_text('<svg><dc:description>{"commit": </dc:description></svg>')
    with pytest.raises(InputError, match=r"a\.svg: its signature cannot be read"):
        read_signature(tmp_path / "a.svg")


def test_no_file_is_one_line(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_signature(tmp_path / "none.svg")
