"""Params files mean what YAML 1.2 says, or are refused in one line."""

import math
import random
import re
from pathlib import Path

import pytest
import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode, SequenceNode

from dlatlas.declare.core_yaml import load
from dlatlas.declare.lab import Lab
from dlatlas.declare.params import read_params
from dlatlas.errors import InputError

ROOT = Path(__file__).parents[2]


def value(tmp_path, text):
    path = tmp_path / "toy.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(path, "params/toy.yaml")[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12),
        ("-3", -3),
        ("+4", 4),
        ("0", 0),
        ("-0", 0),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e-3", 0.001),
        ("-1.5E+2", -150.0),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("word", "word"),
        ("1.2.3", "1.2.3"),
        ('"0100"', "0100"),
        ("'on'", "on"),
        ("!!str 5", "5"),
        ("!!int 7", 7),
        ("!!float .inf", math.inf),
        ("n", "n"),
        ("0x", "0x"),
        ("1e", "1e"),
        ("-", [None]),
        ("tanh", "tanh"),
        ("+.inf", math.inf),
    ],
)
def test_a_value_is_what_version_1_2_says(tmp_path, text, expected):
    found = value(tmp_path, f"key: {text}\n" if text != "-" else "key:\n- \n")["key"]
    assert (type(found), found) == (type(expected), expected)
    assert math.isnan(value(tmp_path, "key: .nan\n")["key"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("key: 0100", 'key (line 1): 0100 is a whole number with a leading zero, .*; write 100, or "0100"'),
        ("key: [7, 008]", r"key\[1\] \(line 1\): 008 is .*; write 8"),
        ("key: 0o17", "0o17 is an octal number"),
        ("key: 0b11", "0b11 is a binary number"),
        ("key: 1_000", "1_000 is a number for some readers and a word for others; write 1000"),
        ("key: 1:30", "1:30 is a number to the base of sixty"),
        ("key: on", 'on is true or false for many readers; write "on" in quotes for the word, or true'),
        ("optimizer: [on, Off]", r"optimizer\[0\] \(line 1\): on is true"),
        ("key: No", 'write "No" .*, or false'),
        ("key: 2026-01-02", "2026-01-02 is a date"),
        ("a: &a {b: 1}\nc:\n  <<: *a", r"c \(line 3\): << is a merge"),
        ("key: !!python/name:os.system x", "the tag .*os.system' is not allowed"),
        ("key: !!set {a}", "tag .*set"),
        ("key: !!int x", "!!int: found 'x'"),
        ("key: !!timestamp 2026-01-02", "tag .*timestamp"),
        ("key: !!binary eA==", "tag"),
        ("? [a, b]\n: 1", "line 1: expected a word as key, found a collection"),
        ("1: 2", "expected a word as key, found '1'"),
        ("true: 2", "found 'true'"),
        ("? {a: 1}\n: 2", "found a collection"),
        ("a: 1\nb: 2\na: 3", r"a \(line 3\): stands twice"),
        ("a: &a [*a]", r"a\[0\] \(line 1\): an alias that contains itself"),
        ("a: &a\n  b: *a", "a.b .*contains itself"),
        ("key: " + "[" * 3000 + "]" * 3000, "line 1: nested more than 30 levels deep"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 10)}]\n" for i in range(8)),
            "more than 200,000 values",
        ),
        ("a: 1\n\x00b: 2", r"line 2: a character that no text has: U\+0000"),
        ("a: \x07", "U.0007"),
        ("a: \x1b[0m", "U.001B"),
        ("key: 5\n".encode("utf-16"), "line 1: byte 0 is not UTF-8; save the file as UTF-8 text"),
        ("a: 1\nkey: é".encode("latin-1"), "line 2: byte 10 is not UTF-8"),
        ("key: é\n".encode("latin-1"), "byte 5 is not UTF-8"),
        (b"\xff\xfe\x00", "byte 0 is not UTF-8"),
        ("key: ! 5", "line 1: the tag '!' is not allowed"),
        ("key: {a", "line 2: "),
        ("a: b: c", "line 1: mapping values are not allowed"),
        ("\tkey: 1", "line 1: "),
        ("a: 1\n---\nb: 2", "line 2: a second document begins here"),
        ("key: *nothing", "undefined alias"),
        ("key: " + "9" * 5000, "a number of 5000 digits"),
        ("key: !!int 0100", r"key \(line 1\): 0100 is a whole number with a leading zero"),
        ("key: 0.1_5", r"key \(line 1\): 0.1_5 is another value for some readers; write 0.15"),
        ("key: -0x1F", "-0x1F is another value for some readers"),
        ("%YAML 1.1\n---\nkey: 5", r"line 1: expected YAML 1.2, found %YAML 1.1"),
        ("a: 1 # x\x85b: 2", r"line 1: U\+0085 is a line break for some readers"),
        ("a: 1\nb: 2 # \u2028c: 3", r"line 2: U\+2028 is a line break"),
        ('"a\\nb": 1', r"line 1: expected a text of one line without control characters, found 'a\\nb'"),
        ('a: "\\e[31m"', r"a \(line 1\): expected a text of one line .*, found '\\x1b\[31m'"),
        (
            "a0: &a0 1\n" + "".join(f"a{i}: &a{i} {'[' * 28}*a{i - 1}{']' * 28}\n" for i in range(1, 60)),
            "nested more than 30 levels deep, aliases written out",
        ),
    ],
)
def test_what_readers_differ_about_and_what_is_no_yaml_is_refused_in_one_line(tmp_path, text, said):
    with pytest.raises(InputError) as told:
        value(tmp_path, text)
    assert re.search(said.replace("(line 1)", r"\(line 1\)").replace(r"\\(", r"\("), str(told.value)), str(told.value)
    assert str(told.value).startswith("params/toy.yaml: ")
    assert "\n" not in str(told.value)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    assert value(tmp_path, b"\xef\xbb\xbfkey: 1\n") == {"key": 1}


# A second reading of plain scalars, from the specification's table (10.3.2), written apart from ours.
def core(text):
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text[0] in "tT"
    body = text[1:] if text[:1] in ("+", "-") else text
    if body.isascii() and body.isdigit():
        return int(text)
    for start, base, digits in (("0o", 8, "01234567"), ("0x", 16, "0123456789abcdefABCDEF")):
        if text.startswith(start) and text[2:] and set(text[2:]) <= set(digits):
            return int(text[2:], base)
    if body in (".inf", ".Inf", ".INF"):
        return -math.inf if text[0] == "-" else math.inf
    if text in (".nan", ".NaN", ".NAN"):
        return math.nan
    if set(body) <= set("0123456789.eE+-") and any(letter.isdigit() for letter in body) and body[0] in "0123456789.":
        try:
            return float(text)
        except ValueError:
            return text
    return text


def read_again(node):
    if isinstance(node, yaml.ScalarNode):
        return core(node.value) if not node.style else node.value
    if isinstance(node, yaml.SequenceNode):
        return [read_again(each) for each in node.value]
    return {key.value: read_again(each) for key, each in node.value}


def mutated(rng, text, others):
    """A file with some bytes, numbers or lines changed."""
    data = bytearray(text)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data)) if data else 0
        kind = rng.randrange(7)
        if kind == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            data[at : at + rng.randint(1, 12)] = b""
        elif kind == 2:
            data[at:at] = rng.choice(PIECES)
        elif kind == 3:
            numbers = list(re.finditer(rb"[0-9.eE+-]+", bytes(data)))
            if numbers:
                found = rng.choice(numbers)
                data[found.start() : found.end()] = rng.choice(NUMBERS)
        elif kind == 4:
            lines = bytes(data).split(b"\n")
            lines.insert(rng.randrange(len(lines)), rng.choice(lines))
            data = bytearray(b"\n".join(lines))
        elif kind == 5:
            lines = bytes(data).split(b"\n")
            del lines[rng.randrange(len(lines))]
            data = bytearray(b"\n".join(lines))
        else:
            other = rng.choice(others)
            cut = rng.randrange(len(other))
            data[at:at] = other[cut : cut + rng.randint(1, 30)]
    return bytes(data)


PIECES = [
    b"[",
    b"]",
    b"{",
    b"}",
    b": ",
    b"- ",
    b"\n",
    b"  ",
    b"\t",
    b"&a ",
    b"*a",
    b"!!int ",
    b"!x ",
    b"'",
    b'"',
    b"#",
    b"? ",
    b"<<: ",
    b"---\n",
    b"...",
    b"|\n",
    b">\n",
    b"%YAML 1.1\n",
    b"\x00",
    b"\xff\xfe",
    b"\xc3\xa9",
    b"range",
    b"status",
]
NUMBERS = [
    b"0100",
    b"0700",
    b"007",
    b"0o17",
    b"0x1f",
    b"0b1",
    b"1_000",
    b"1:30",
    b".inf",
    b"-.inf",
    b".nan",
    b"1e400",
    b"1e-400",
    b"-1",
    b"0",
    b"1e3",
    b"5.",
    b".5",
    b"+7",
    b"on",
    b"No",
    b"null",
    b"~",
    b"9007199254740993",
    b"1e99",
    b"[0, 10, 0]",
    b"00",
]


@pytest.mark.parametrize("part", range(4))
def test_a_spoilt_file_is_read_as_version_1_2_reads_it_or_refused_in_one_line(tmp_path, part):
    """20,000 files: mutations of the atlas' own."""
    rng, lab, path = random.Random(part), Lab.read(ROOT), tmp_path / "toy.yaml"
    files = {name: file.read_bytes() for name, file in lab.params(ROOT / "params").items()}
    studies = {name: lab.study(name) for name in files}
    read, told = 0, []
    for _ in range(5_000):
        name = rng.choice(list(files))
        path.write_bytes(text := mutated(rng, files[name], list(files.values())))
        try:
            tree, _ = load(path, "params/toy.yaml")
        except InputError as error:
            told.append(str(error))
            continue
        again = read_again(node) if (node := yaml.compose(text.decode("utf-8-sig"), yaml.CBaseLoader)) else None
        assert repr(tree) == repr(again) or b"!" in text, text
        try:
            read_params(path, studies[name], rng.choice(("smoke", "laptop")))
            read += 1
        except InputError as error:
            told.append(str(error))
    assert not [line for line in told if "\n" in line or not line.startswith("params/toy.yaml")]
    assert len(told) > 1_000
    assert read > 500


def read_elsewhere(text):
    """What another parser, of version 1.2, makes of a file; its scalars are read by `core`."""

    def of(node):
        if isinstance(node, ScalarNode):
            return node.value if node.style else core(node.value)
        if isinstance(node, SequenceNode):
            return [of(each) for each in node.value]
        return {key.value: of(each) for key, each in node.value}

    node = YAML(typ="safe", pure=True).compose(text.decode("utf-8-sig"))
    return of(node) if node else None


def test_what_is_read_of_a_spoilt_file_another_parser_reads_too(tmp_path):
    rng, path, found, known = random.Random(0), tmp_path / "toy.yaml", 0, Lab.read(ROOT).params(ROOT / "params")
    files = sorted((file.read_bytes() for file in known.values()), key=len)[:8]
    for _ in range(1_500):
        path.write_bytes(text := mutated(rng, rng.choice(files), files))
        try:
            tree, _ = load(path, "params/toy.yaml")
        except InputError:
            continue
        if b"!" in text or b"\t" in text:  # tags are compared above; the other knows no tabs between words
            continue
        try:
            assert repr(read_elsewhere(text)) == repr(tree), text
        except YAMLError as error:
            pytest.fail(f"refused elsewhere: {error}: {text!r}")
        found += 1
    assert found > 300
