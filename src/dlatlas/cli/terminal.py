"""Output on terminals and pipes that cannot show every letter."""

import codecs
import sys
import unicodedata

PLAIN = {
    "✓": "+", "✗": "x", "–": "-", "—": "-", "…": "...", "·": "*", "≤": "<=", "≥": ">=", "≈": "~", "≠": "!=",
    "×": "x", "±": "+-", "→": "->", "━": "=", "’": "'", "“": '"', "”": '"', "−": "-", "²": "^2",
}  # fmt: skip
"""What is written where a sign cannot be. Never a question mark: that is a verdict."""

HANDLER = "dlatlas.plain"


def plain(text: str) -> str:
    """A text in ASCII: known signs by their like, letters without accents, all else by number."""
    return "".join(PLAIN.get(sign) or _letter(sign) for sign in text)


def _letter(sign: str) -> str:
    bare = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return bare or sign.encode("ascii", "backslashreplace").decode()


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain(error.object[error.start : error.end]), error.end


def write_any_text() -> None:
    """Has standard output and error write in plain letters what their encoding lacks, instead of raising."""
    codecs.register_error(HANDLER, _replace)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a test or a notebook has put something else there
            stream.reconfigure(errors=HANDLER)
