"""The law of code identity: what changes a number changes the digest, however Python reaches it.

Small packages are written from a grammar: a constant, how it is defined, how its module is reached, and how the result
uses it. Each is run with two values of the constant, so that the test knows, and does not believe, that the number
changes.
"""

import importlib
import random
import re
import sys
import textwrap

import pytest

from dlatlas.errors import InputError
from dlatlas.identity import code

CASES = 5_000

DEFINED = {
    "constant": "K = NUMBER\ndef f():\n    return K\n",
    "typed": "K: float = NUMBER\ndef f():\n    return K\n",
    "if": "if len('a') == 1:\n    K = NUMBER\nelse:\n    K = 0\ndef f():\n    return K\n",
    "function in if": "if True:\n    def f():\n        return NUMBER\nelse:\n    def f():\n        return 0\n",
    "try": "try:\n    K = NUMBER\nexcept ValueError:\n    K = 0\ndef f():\n    return K\n",
    "class in try": "try:\n    class C:\n        k = NUMBER\nfinally:\n    pass\ndef f():\n    return C.k\n",
    "with": "import contextlib\nwith contextlib.nullcontext(NUMBER) as K:\n    pass\ndef f():\n    return K\n",
    "for": "for K in (1, NUMBER):\n    pass\ndef f():\n    return K\n",
    "while": "while True:\n    K = NUMBER\n    break\ndef f():\n    return K\n",
    "match": "match NUMBER:\n    case K:\n        pass\ndef f():\n    return K\n",
    "update": "T = {}\nT.update(k=NUMBER)\ndef f():\n    return T['k']\n",
    "update of the class": "T = {}\n_ = dict.update(T, k=NUMBER)\ndef f():\n    return T['k']\n",
    "item": "T = {'k': 1}\nT['k'] = NUMBER\ndef f():\n    return T['k']\n",
    "append": "T = []\nT.append(NUMBER)\ndef f():\n    return T[0]\n",
    "mapped append": "T = []\n_ = list(map(T.append, [NUMBER]))\ndef f():\n    return T[0]\n",
    "comprehended append": "T = []\n_ = [T.append(k) for k in (NUMBER,)]\ndef f():\n    return T[0]\n",
    "setdefault": "T = {}\n_ = T.setdefault('k', NUMBER)\ndef f():\n    return T['k']\n",
    "setitem": "import operator\nT = {}\n_ = operator.setitem(T, 'k', NUMBER)\ndef f():\n    return T['k']\n",
    "attribute": "class C:\n    pass\nC.k = NUMBER\ndef f():\n    return C.k\n",
    "setattr": "class C:\n    pass\n_ = setattr(C, 'k', NUMBER)\ndef f():\n    return C.k\n",
    "filled by a function": "T = {}\ndef fill(k):\n    T['k'] = k\n_ = fill(NUMBER)\ndef f():\n    return T['k']\n",
    "filled by a call": "T = {}\ndef fill(k):\n    t = T\n    t['k'] = k\nfill(NUMBER)\ndef f():\n    return T['k']\n",
    "filled as an argument": (
        "T = {}\ndef put(t, k):\n    t['k'] = k\n_ = put(T, NUMBER)\ndef f():\n    return T['k']\n"
        ""
    ),
    "filled by its maker": (
        "T = {}\nclass M:\n    def __init__(self, k):\n        T['k'] = k\n_ = M(NUMBER)\ndef f():\n"
        "    return T['k']\n"
    ),
    "global": "def make():\n    global K\n    K = NUMBER\nmake()\ndef f():\n    return K\n",
    "globals": "def f():\n    return globals()['K']\nK = NUMBER\n",
    "made by globals": "globals()['K'] = NUMBER\ndef f():\n    return K\n",
    "eval": "K = NUMBER\ndef f():\n    return eval('K')\n",
    "exec": "exec('K = NUMBER')\ndef f():\n    return K\n",
    "own module": "import sys\nsetattr(sys.modules[__name__], 'K', NUMBER)\ndef f():\n    return K\n",
    "augmented": "K = 1\nK += NUMBER\ndef f():\n    return K\n",
    "again": "K = 1\ndel K\nK = NUMBER\ndef f():\n    return K\n",
    "walrus": "if (K := NUMBER):\n    pass\ndef f():\n    return K\n",
    "walrus in a list": "_ = [(K := k) for k in (NUMBER,)]\ndef f():\n    return K\n",
    "unpacked": "_, (K, *_) = 1, (NUMBER, 2)\ndef f():\n    return K\n",
    "class": "class C:\n    k = NUMBER\n    def get(self):\n        return self.k\ndef f():\n    return C().get()\n",
    "inherited": (
        "class B:\n    def get(self):\n        return NUMBER\n"
        "class C(B):\n    pass\ndef f():\n    return C().get()\n"
    ),
    "subclasses": (
        "class B:\n    pass\nclass C(B):\n    k = NUMBER\ndef f():\n    return B.__subclasses__()[0].k\n"
        ""
    ),
    "hook of subclasses": (
        "class B:\n    all = []\n    def __init_subclass__(cls):\n        B.all.append(cls)\n"
        "class C(B):\n    k = NUMBER\ndef f():\n    return B.all[0].k\n"
    ),
    "metaclass": (
        "ALL = []\nclass M(type):\n    def __init__(cls, *a):\n        ALL.append(cls)\n"
        "class C(metaclass=M):\n    k = NUMBER\ndef f():\n    return ALL[0].k\n"
    ),
    "record": (
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    k: float = NUMBER\ndef f():\n"
        "    return C().k\n"
    ),
    "enum": "from enum import Enum\nclass C(Enum):\n    K = NUMBER\ndef f():\n    return C.K.value\n",
    "default": "def f(k=NUMBER):\n    return k\n",
    "keyword default": "def f(*, k=NUMBER):\n    return k\n",
    "partial": "from functools import partial\nf = partial(lambda k: k, NUMBER)\n",
    "lambda": "f = lambda: NUMBER\n",
    "closure": "def make(k):\n    def inner():\n        return k\n    return inner\nf = make(NUMBER)\n",
    "comprehension": "K = sum(k for k in [NUMBER])\ndef f():\n    return K\n",
    "built": "def build():\n    return {'k': NUMBER}\nT = build()\ndef f():\n    return T['k']\n",
    "registered": (
        "T = {}\ndef reg(g):\n    T['g'] = g\n    return g\n@reg\ndef g():\n    return NUMBER\n"
        "def f():\n    return T['g']()\n"
    ),
    "registered by a name": (
        "T = {}\ndef reg(name):\n    def inner(g):\n        T[name] = g\n        return g\n    return inner\n"
        "@reg('g')\ndef g():\n    return NUMBER\ndef f():\n    return T['g']()\n"
    ),
    "dispatched": (
        "from functools import singledispatch\n@singledispatch\ndef g(x):\n    return 0\n"
        "@g.register\ndef _(x: int):\n    return NUMBER\ndef f():\n    return g(1)\n"
    ),
    "decorated": (
        "def twice(g):\n    return lambda: g() * NUMBER\n@twice\ndef f():\n    return 2\n"
    ),
    "cached": "from functools import cache\n@cache\ndef f():\n    return NUMBER\n",
    "docstring": "def g():\n    'NUMBER'\ndef f():\n    return float(g.__doc__)\n",
    "hint": "def g(x: NUMBER):\n    pass\ndef f():\n    return g.__annotations__['x']\n",
    "module getattr": (
        "def __getattr__(name):\n    if name != 'late':\n        raise AttributeError(name)\n"
        "    return NUMBER\ndef f():\n    import sys\n    return sys.modules[__name__].late\n"
    ),
    "passed on": "K = NUMBER\ndef g():\n    return K\ndef f():\n    return max(map(lambda h: h(), [g]))\n",
    "generator": "def g():\n    yield NUMBER\ndef f():\n    return next(g())\n",
    "named": "K = NUMBER\ndef f():\n    return f.__globals__['K']\n",
    "imported sine": "from math import FUNCTION as g\ndef f():\n    return g(1.0)\n",
    "numpy attribute": "import numpy as np\ndef f():\n    return float(np.FUNCTION(1.0))\n",
    "swapped": "from math import sin, cos\na, b = PAIR\ndef f():\n    return a(1.0)\n",
}  # fmt: skip
"""How a module makes ``f()`` depend on a value: a number, a function of mathematics, two of them."""

REACHED = {
    "from relative": ("from .helper import f", "f()"),
    "from absolute": ("from {p}.helper import f", "f()"),
    "renamed": ("from .helper import f as g", "g()"),
    "module": ("from . import helper", "helper.f()"),
    "module renamed": ("from {p} import helper as h", "h.f()"),
    "dotted": ("import {p}.helper", "{p}.helper.f()"),
    "dotted renamed": ("import {p}.helper as h", "h.f()"),
    "starred": ("from .helper import *", "f()"),
    "import_module": ("from importlib import import_module", "import_module('{p}.helper').f()"),
    "import_module renamed": ("import importlib as il", "il.import_module('{p}.helper').f()"),
    "import_module relative": ("import importlib", "importlib.import_module('.helper', __package__).f()"),
    "import_module computed": ("import importlib", "importlib.import_module('{p}.hel' + 'per').f()"),
    "import_module of a name": ("import importlib\nN = '{p}.helper'", "importlib.import_module(N).f()"),
    "__import__": ("", "__import__('{p}.helper', fromlist=['f']).f()"),
    "resolve_name": ("import pkgutil", "pkgutil.resolve_name('{p}.helper:f')()"),
    "sys.modules": ("import sys\nimport {p}.helper", "sys.modules['{p}.helper'].f()"),
    "getattr": ("from . import helper", "getattr(helper, 'f')()"),
    "vars": ("from . import helper", "vars(helper)['f']()"),
    "dict": ("from . import helper", "helper.__dict__['f']()"),
    "passed": ("from . import helper\ndef call(module):\n    return module.f()", "call(helper)"),
    "listed": ("from . import helper\nALL = [helper]", "ALL[0].f()"),
    "package": ("import {p}\nimport {p}.helper\ndef call(package):\n    return package.helper.f()", "call({p})"),
    "passed on": ("from .middle import f", "f()"),
    "passed on dotted": ("import {p}.middle", "{p}.middle.f()"),
    "passed on starred": ("from .stars import f", "f()"),
    "stars of stars": ("from .stars import *", "f()"),
    "module in a module": ("from . import holder", "holder.helper.f()"),
    "subpackage": ("from .inner import f", "f()"),
    "below": ("from .inner.deep import f", "f()"),
    "top level": ("import {p}_tool", "{p}_tool.f()"),
    "other package": ("from {p}_other.helper import f", "f()"),
    "patched": ("from . import patch, plain", "plain.f()"),
    "patched by a package": ("from .patching.leaf import f", "f()"),
    "filled from outside": ("from . import filling\nfrom .plain import T", "T['f']()"),
}
"""How the main module reaches it: an import, and the expression that calls it."""

FILES = {
    "__init__.py": "",
    "helper.py": "{helper}",
    "middle.py": "from .helper import f\n",
    "stars.py": "from .helper import *\n",
    "holder.py": "from . import helper\n",
    "inner/__init__.py": "from ..helper import f\n",
    "inner/deep.py": "from ..helper import f\n",
    "plain.py": "T = {{}}\ndef f():\n    return 0\n",
    "patch.py": "from . import helper, plain\nplain.f = helper.f\n",
    "patching/__init__.py": "from .. import helper\nfrom . import leaf\nleaf.f.__defaults__ = (helper.f(),)\n",
    "patching/leaf.py": "def f(k=0):\n    return k\n",
    "filling.py": "from . import helper\nfrom .plain import T\nT['f'] = helper.f\n",
    "../{p}_tool.py": "{helper}",
    "../{p}_other/__init__.py": "",
    "../{p}_other/helper.py": "{helper}",
}

PLACES = {
    "top": "{imported}\ndef solve():\n    return {used}\n",
    "function": "def solve():\n{indented}\n    return {used}\n",
    "if": "if len('a') == 1:\n{indented}\ndef solve():\n    return {used}\n",
    "try": "try:\n{indented}\nexcept ImportError:\n    pass\ndef solve():\n    return {used}\n",
    "try in function": "def solve():\n    try:\n{twice}\n    except ImportError:\n        pass\n    return {used}\n",
    "lambda": "{imported}\nsolve = lambda: {used}\n",
    "constant": "{imported}\nC = {used}\ndef solve():\n    return C\n",
    "late constant": "{imported}\nC = dict(c=0)\nC.update(c={used})\ndef solve():\n    return C['c']\n",
    "method": "{imported}\nclass S:\n    def __call__(self):\n        return {used}\nsolve = S()\n",
    "default": "{imported}\ndef solve(c={used}):\n    return c\n",
    "other function": "{imported}\ndef inner():\n    return {used}\ndef solve():\n    return inner()\n",
}

NO_STARS_IN = ("function", "try in function")


def written(home, name, defined, reached, place, values):
    """Writes the package of a case; its root."""
    number, function, pair = values
    helper = DEFINED[defined].replace("NUMBER", number).replace("FUNCTION", function).replace("PAIR", pair)
    imported, used = (text.format(p=name) for text in REACHED[reached])
    indented = textwrap.indent(imported or "pass", "    ")
    main = PLACES[place].format(
        imported=imported, used=used, indented=indented, twice=textwrap.indent(indented, "    ")
    )
    named = set(re.split(r"\W+", f"{imported} helper".replace(f"{name}_", "")))
    files = {file: text for file, text in FILES.items() if "/" not in file or named & set(re.split(r"\W+|_", file))}
    for file, text in {**files, "main.py": main.replace("{", "{{").replace("}", "}}")}.items():
        path = home / name / file.format(p=name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(helper=helper))
    return f"{name}.main:solve"


def result(home, name):
    """What the package computes, imported anew."""
    for place in [place for place in sys.path_importer_cache if place.startswith(str(home))]:
        del sys.path_importer_cache[place]
    sys.path.insert(0, str(home))
    try:
        return importlib.import_module(f"{name}.main").solve()
    finally:
        sys.path.remove(str(home))
        for module in [m for m in sys.modules if m == name or m.startswith((f"{name}.", f"{name}_"))]:
            del sys.modules[module]


def drawn(rng):
    while True:
        case = rng.choice(list(DEFINED)), rng.choice(list(REACHED)), rng.choice(list(PLACES))
        if not (case[1] in ("starred", "stars of stars") and case[2] in NO_STARS_IN):
            return case


@pytest.fixture
def forgetful(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    code.forget()


@pytest.mark.parametrize("part", range(5))
def test_what_changes_the_number_changes_the_digest(tmp_path, forgetful, part):
    rng, missed, changed = random.Random(part), [], 0
    for at in range(CASES // 5):
        name, case = f"p{part}_{at}", drawn(rng)
        values = ("2", "sin", "sin, cos"), ("3", "cos", "cos, sin")
        homes = tmp_path / "a", tmp_path / "b"
        roots = [written(home, name, *case, value) for home, value in zip(homes, values)]
        numbers = [result(home, name) for home in homes]
        digests = [code.digest(code.closure([root], home)) for root, home in zip(roots, homes)]
        changed += numbers[0] != numbers[1]
        if numbers[0] != numbers[1] and digests[0] == digests[1]:
            missed.append(case)
    assert not missed, f"{len(missed)} of {changed}: {missed[:20]}"
    assert changed > 0.95 * CASES / 5


CERTAIN = (
    "from relative",
    "from absolute",
    "renamed",
    "module",
    "module renamed",
    "dotted",
    "dotted renamed",
    "starred",
)
CERTAIN += ("passed on", "passed on dotted", "passed on starred", "subpackage", "below", "top level", "other package")
PLAIN = ("constant", "typed", "class", "inherited", "default", "partial", "lambda", "closure", "comprehension", "built")
PLAIN += ("cached", "generator", "update", "if", "try", "unpacked", "record", "imported sine")
WORDS = (
    lambda text: f'"""What this is."""\n# why\n{text}',
    lambda text: text.replace("def f():\n", 'def f():\n    """What."""\n    # how\n'),
    lambda text: text.replace("def f():\n", "def f() -> float:\n").replace("def f(k=", "def f(k: float ="),
    lambda text: f"{text}\n\ndef unused(a: int) -> int:\n    return a\n\nUNUSED = [1, 2]\n",
    lambda text: f"import math\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import xarray\n{text}",
    lambda text: text.replace("\n    ", "\n\n    "),
)


@pytest.mark.parametrize("reached", CERTAIN)
def test_words_and_what_is_not_used_change_nothing(tmp_path, forgetful, monkeypatch, reached):
    for at, defined in enumerate(PLAIN):
        name, values, digests = f"q{at}", ("2", "sin", "sin, cos"), set()
        for home, change in enumerate([str, *WORDS]):
            with monkeypatch.context() as patched:
                patched.setitem(DEFINED, defined, change(DEFINED[defined]))
                root = written(tmp_path / str(home), name, defined, reached, "top", values)
            digests.add(code.digest(code.closure([root], tmp_path / str(home))))
        assert len(digests) == 1, defined


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def f(:\n    pass\n", "main.py:1: invalid syntax"),
        ("def f():\n  x = 1\n    y = 2\n", "main.py:3: unexpected indent"),
        (
            "\n\nfrom ...nowhere import f\ndef solve():\n    return f()\n",
            "main.py:3: from ...nowhere import f: there is",
        ),
        ("def solve():\n    return 1\0\n", "main.py:1: source code string cannot contain null bytes"),
    ],
)
def test_what_python_would_not_import_is_told_in_one_line(tmp_path, forgetful, text, said):
    home = tmp_path / "r"
    home.mkdir()
    (home / "__init__.py").write_text("")
    (home / "main.py").write_text(text)
    with pytest.raises(InputError) as told:
        code.closure(["r.main:solve"], tmp_path)
    assert said in str(told.value)
    assert "\n" not in str(told.value)
