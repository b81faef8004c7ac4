import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlatlas.cli import terminal

ROOT = Path(__file__).parents[2]


def test_signs_are_written_by_their_like_and_never_by_a_verdict_s():
    assert terminal.plain("✓ 3×10 ≤ 4, naïve … λ") == "+ 3x10 <= 4, naive ... \\u03bb"
    assert "?" not in "".join(map(terminal.plain, terminal.PLAIN))
    assert all(terminal.plain(sign).isascii() for sign in terminal.PLAIN)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_only_what_an_encoding_lacks_is_replaced(monkeypatch, encoding):
    bytes_ = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(bytes_, encoding=encoding, newline=""))
    terminal.write_any_text()
    sys.stdout.write("é ✓ \udcff")
    sys.stdout.flush()
    expected = {"ascii": b"e + \\udcff", "latin-1": b"\xe9 + \\udcff", "utf-8": "é ✓ \\udcff".encode()}
    assert bytes_.getvalue() == expected[encoding]


@pytest.mark.parametrize("words", [["show", "catapult_phase"], ["list"], ["--help"], ["show", "--help"], ["show", "λ"]])
def test_every_command_ends_well_on_an_ascii_terminal(words):
    done = subprocess.run(
        [sys.executable, "-P", "-m", "dlatlas", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == (1 if "λ" in words else 0)
    assert done.stdout.isascii()
    assert b"Traceback" not in done.stderr
