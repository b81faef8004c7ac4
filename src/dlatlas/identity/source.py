"""What one module's text says, read without running it: what it binds, imports and does when it is imported.

Statements are told apart where that is certain; what is not certain is said to be so, and `dlatlas.identity.code`,
which follows names from module to module, then takes more.
"""

import ast
import builtins
import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import TypedDict, TypeGuard

from dlatlas.errors import InputError

ANYWHERE = "*"
"""Stands for a module that cannot be known, or for all names of one."""
PURE = frozenset(dir(builtins)) - {"setattr", "delattr", "exec", "eval", "__import__", "globals", "vars", "locals"}
NAMESPACE = frozenset({"globals", "vars", "eval", "exec", "locals"})
"""Builtins that reach every name of a module."""
BACKDOORS = frozenset({"__globals__", "f_globals", "__subclasses__", "__builtins__", "f_back", "tb_frame", "_getframe"})
"""Attributes that lead anywhere."""
LATE = re.compile(
    r"(importlib(\.(import_module|reload|util|machinery|__import__)\b.*)?|(pkgutil|runpy|sys\.modules)\b.*)$"
)
"""What imports by a text; ``importlib.metadata`` and ``importlib.resources`` do not."""
TEXTS = frozenset({"__doc__", "__annotations__", "getdoc", "get_annotations", "get_type_hints", "getsource"})
"""With these, docstrings and type hints are values."""
UNTYPED = frozenset({
    "cache", "lru_cache", "cached_property", "property", "setter", "staticmethod", "classmethod", "abstractmethod",
    "contextmanager", "wraps", "override", "overload", "no_grad", "enable_grad", "inference_mode", "vmap", "jit",
    "njit", "compile", "measure",
})  # fmt: skip
"""Decorators that do not read type hints."""
HINTLESS = frozenset({"Module", "ABC", "Protocol", "Exception", "object"})
"""Base classes that do not."""
HOOKS = frozenset({"__init__", "__new__", "__post_init__", "__init_subclass__", "__set_name__"})
BUSY = re.compile(
    r"(set|seed|use|enable|disable|register|manual_seed|put|copyto|add|append|update|insert|extend|install|patch|filter"
    r"|simplefilter|del|exec|eval|import|reload|pop|clear|remove|sort|reverse|discard|chdir|unlink|write|run|call)\w*|fill"
    r"|__\w+__|\w+_"
)
"""Functions and methods that may do more than return something."""

ACTS = (
    *(ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Match),
    *(ast.AugAssign, ast.Delete, ast.Raise, ast.Assert, ast.Global, ast.Await, ast.Yield, ast.YieldFrom),
)
"""Statements at the top of a module that may do more than bind names."""


class Part(TypedDict):
    """What some statements say.

    Keys:
        text: digest of them, without docstrings and type hints.
        names: the dotted chains in them, each as long as it stands there.
        imports: names that they import inside functions, with what each is.
        late: modules that they import by a text; `ANYWHERE` where it is not plain which.
        open: whether they may reach every name of the module.
        told: whether they read docstrings or type hints.
        texts: strings that may name a module.
        calls: what is called when they are run at import; None if they certainly do more than bind names.
        called: what is called when a function of them is called; None if it certainly changes what is not its own.
        hooks: of a class, what it does when it is derived from or made; None if there is no class.
    """

    text: str
    names: list[str]
    imports: list[list[str]]
    late: list[str]
    open: bool
    told: bool
    texts: list[str]
    calls: list[str] | None
    called: list[str] | None
    hooks: list[str] | None


class Facts(TypedDict):
    """What a module says.

    Keys:
        parts: its statements, but for imports.
        names: name -> the parts that bind it.
        functions: the names that are functions, and nothing else.
        imports: names that are imported when the module is, and what each is, in order; `ANYWHERE` for starred ones.
        modules: what may be modules among what is imported when the module is.
        every: the same with what its functions import.
        orders: name that is bound more than once -> by what, in order.
        arguments: name of a record -> keyword -> that argument alone; `ANYWHERE` beside them where there are others.
    """

    parts: list[Part]
    names: dict[str, list[int]]
    functions: list[str]
    imports: list[list[str]]
    modules: list[str]
    every: list[str]
    orders: dict[str, list[str]]
    arguments: dict[str, dict[str, Part]]


def read(text: bytes, package: str, path: str) -> Facts:
    """What a module's text says.

    Args:
        text: the text.
        package: what its relative imports start from.
        path: for errors.

    Raises:
        InputError: what Python would not import.
    """
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError) as error:
        raise InputError(f"{path}:{getattr(error, 'lineno', None) or 1}: {getattr(error, 'msg', error)}") from None
    imports = [node for statement in body for node in _at_import(statement) if _is_import(node)]
    everywhere = [node for statement in body for node in ast.walk(statement) if _is_import(node)]
    reader = _Reader(package, path, imports)
    facts = Facts(parts=[], names={}, functions=[], imports=reader.bound, modules=[], every=[], orders={}, arguments={})
    for statement in body:
        if _is_import(statement):
            for name, target in reader.imported(statement):
                facts["orders"].setdefault(name, []).append(target)
            continue
        if _never_run(statement) or _is_text(statement):
            continue
        facts["parts"].append(reader.part([statement]))
        for name in _binds(statement):
            facts["names"].setdefault(name, []).append(len(facts["parts"]) - 1)
            facts["orders"].setdefault(name, []).append("")
        if (record := _record(statement)) is not None:
            name, call = record
            facts["arguments"][name] = {word.arg or ANYWHERE: reader.part([word.value]) for word in call.keywords}
            if call.args:
                facts["arguments"][name][ANYWHERE] = reader.part(call.args)
    facts["orders"] = {name: by for name, by in facts["orders"].items() if len(by) > 1}
    functions = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    facts["functions"] = sorted(name for name in functions if len(facts["names"][name]) == 1)
    facts["arguments"] = {name: said for name, said in facts["arguments"].items() if len(facts["names"][name]) == 1}
    facts["modules"] = sorted({name for node in imports for name in reader.modules(node)})
    facts["every"] = sorted(
        {name for node in everywhere for name in reader.modules(node)}
        | {late for part in facts["parts"] for late in part["late"]}
    )
    return facts


class _Reader:
    """Reads the statements of one module, whose imports it knows."""

    def __init__(self, package: str, path: str, imports: Iterable[ast.Import | ast.ImportFrom]) -> None:
        self.package, self.path = package, path
        self.bound = [pair for node in imports for pair in self.imported(node)]
        self.heads: dict[str, str] = dict(map(tuple, self.bound))

    def base(self, node: ast.ImportFrom) -> str:
        """The module that is imported from, a relative one made whole."""
        if not node.level:
            return node.module or ""
        above = self.package.split(".") if self.package else []
        if node.level > len(above):
            raise InputError(f"{self.path}:{node.lineno}: {ast.unparse(node)}: there is no package so far up")
        return ".".join([*above[: len(above) - node.level + 1], *filter(None, [node.module])])

    def imported(self, node: ast.Import | ast.ImportFrom) -> list[list[str]]:
        """The names that an import statement binds, and what each is."""
        if isinstance(node, ast.Import):
            tops = [a.name.split(".")[0] for a in node.names]
            return [[a.asname or top, a.name if a.asname else top] for a, top in zip(node.names, tops)]
        base = self.base(node)
        return [[a.asname or a.name, base if a.name == ANYWHERE else f"{base}.{a.name}"] for a in node.names]

    def modules(self, node: ast.Import | ast.ImportFrom) -> list[str]:
        """What an import statement may import."""
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        base = self.base(node)
        return [base, *(f"{base}.{alias.name}" for alias in node.names if alias.name != ANYWHERE)]

    def part(self, nodes: list[ast.AST]) -> Part:
        """What some statements, or an expression, say."""
        calls = _calls(nodes)
        called = _called(nodes)
        classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
        every = [child for node in nodes for child in _stripped(node)]
        local = [pair for node in every if _is_import(node) for pair in self.imported(node)]
        names = sorted(set(_chains(nodes)))
        attributes = {part for name in names for part in name.split(".")}
        attributes |= {node.attr for node in every if isinstance(node, ast.Attribute)}
        late = self._late(every, names, dict(map(tuple, local)))
        return Part(
            text=_digest(nodes),
            names=names,
            imports=local,
            late=[ANYWHERE] if attributes & BACKDOORS else late,
            open=bool(NAMESPACE & {name.split(".")[0] for name in names} - _of_others(every)),
            told=bool(attributes & TEXTS),
            texts=sorted({n.value for n in every if isinstance(n, ast.Constant) and _names_module(n.value)}),
            calls=calls,
            called=called,
            hooks=_hooks(classes[0]) if classes else None,
        )

    def _late(self, every: list[ast.AST], names: list[str], local: dict[str, str]) -> list[str]:
        """The modules that are imported by a text."""
        known = {**self.heads, **local}

        def is_late(chain: str | None) -> bool:
            if not chain:
                return False
            head, dot, rest = chain.partition(".")
            return chain == "__import__" or bool(LATE.match(f"{known.get(head, head)}{dot}{rest}"))

        if not any(map(is_late, names)):
            return []
        mentioned, plain = 0, []
        for node in every:
            if isinstance(node, ast.Attribute | ast.Name) and is_late(_chain(node)):
                inner = isinstance(node, ast.Attribute) and is_late(_chain(node.value))
                mentioned += not inner  # importlib within importlib.import_module
            if isinstance(node, ast.Call) and is_late(_chain(node.func)):
                plain += [self._literal(node.args, node.keywords)]
            elif isinstance(node, ast.Subscript) and is_late(_chain(node.value)):
                plain += [self._literal([node.slice], [])]
        found = [name for name in plain if name is not None]
        return sorted(set(found)) if len(found) == mentioned else [ANYWHERE]

    def _literal(self, args: list[ast.expr], keywords: list[ast.keyword]) -> str | None:
        """The module that a plain text names, None if it is not plain."""
        args = [*args, *(word.value for word in keywords if word.arg in ("name", "package"))]
        if not args or len(args) > 2 or not isinstance(args[0], ast.Constant) or not isinstance(args[0].value, str):
            return None
        name = args[0].value
        if not name.startswith("."):
            return name if len(args) == 1 else None
        anchor = args[1] if len(args) == 2 else None
        if isinstance(anchor, ast.Constant) and isinstance(anchor.value, str):
            above = anchor.value.split(".")
        elif isinstance(anchor, ast.Name) and anchor.id == "__package__":
            above = self.package.split(".")
        else:
            return None
        level = len(name) - len(name.lstrip("."))
        return ".".join([*above[: len(above) - level + 1], name.lstrip(".")]).rstrip(".")


def _of_others(every: Iterable[ast.AST]) -> set[str]:
    """``vars``, if it is only ever asked of something: that is then a value, a module's too, that stands there."""
    named, asked = 0, 0
    for node in every:
        named += isinstance(node, ast.Name) and node.id == "vars"
        asked += isinstance(node, ast.Call) and _chain(node.func) == "vars" and bool(node.args)
    return {"vars"} if named == asked else set()


def _digest(nodes: Iterable[ast.AST]) -> str:
    return hashlib.sha256("\n".join(ast.dump(node) for node in nodes).encode()).hexdigest()[:20]


def _names_module(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+(:\w+)?", value))


def _is_import(node: ast.AST) -> TypeGuard[ast.Import | ast.ImportFrom]:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _is_text(node: ast.AST) -> bool:
    """Whether a statement is a docstring, or another text that nothing reads."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _never_run(statement: ast.AST) -> bool:
    """Whether a statement is for type checkers, or for when the file is the program."""
    if not isinstance(statement, ast.If) or statement.orelse:
        return False
    test = ast.unparse(statement.test)
    return test in ("TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ == '__main__'")


def _at_import(statement: ast.AST) -> Iterator[ast.AST]:
    """A statement and those in it that are run with it; not what is in functions."""
    if _never_run(statement):
        return
    yield statement
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        for child in ast.iter_child_nodes(statement):
            yield from _at_import(child)


def _binds(statement: ast.AST) -> list[str]:
    """The names of the module that a statement may bind."""
    found: dict[str, None] = {}
    ahead: list[tuple[ast.AST, bool]] = [(statement, True)]
    while ahead:
        node, top = ahead.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if top:
                found[node.name] = None
            top = False
        elif isinstance(node, ast.Global):
            found |= dict.fromkeys(node.names)
        elif isinstance(node, ast.Lambda | ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp):
            found |= {n.target.id: None for n in ast.walk(node) if isinstance(n, ast.NamedExpr) if top}
            top = False
        elif top and isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found[node.id] = None
        elif top and isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            found[node.name] = None
        elif top and isinstance(node, ast.MatchMapping) and node.rest:
            found[node.rest] = None
        elif top and _is_import(node):
            found |= {a.asname or a.name.split(".")[0]: None for a in node.names}  # type: ignore[attr-defined]
        ahead += [(child, top) for child in ast.iter_child_nodes(node)]
    return list(found)


def _record(statement: ast.AST) -> tuple[str, ast.Call] | None:
    """The name and the call of ``NAME = Study(...)``, whose arguments can be taken one by one."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
    elif isinstance(statement, ast.AnnAssign):
        target, value = statement.target, statement.value
    else:
        return None
    if not isinstance(target, ast.Name) or not isinstance(value, ast.Call):
        return None
    return (target.id, value) if (_chain(value.func) or "").split(".")[-1] in ("Study", "dict") else None


def _chain(node: ast.AST) -> str | None:
    """``a.b.c`` of a name and attributes of it."""
    words: list[str] = []
    while isinstance(node, ast.Attribute):
        words.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(words)]) if isinstance(node, ast.Name) else None


def _chains(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Every dotted chain, as long as it stands there."""
    ahead = list(nodes)
    while ahead:
        node = ahead.pop()
        chain = _chain(node)
        if chain:
            yield chain
        else:
            ahead += ast.iter_child_nodes(node)


def _calls(nodes: Iterable[ast.AST]) -> list[str] | None:
    """What is called when statements are run at import; None if they certainly do more than bind names."""
    found: list[str] = []
    ahead = list(nodes)
    while ahead:
        node = ahead.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found += [_chain(d.func if isinstance(d, ast.Call) else d) or "" for d in node.decorator_list]
            ahead += [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
            continue
        if isinstance(node, ast.Lambda):
            ahead += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            continue
        if isinstance(node, ast.ClassDef):
            found += [_chain(d.func if isinstance(d, ast.Call) else d) or "" for d in node.decorator_list]
            bases = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
            found += [f"class {_chain(base) or ''}" for base in bases]
            found += [_chain(word.value) or "" for word in node.keywords if word.arg == "metaclass"]
        elif isinstance(node, ast.Expr):
            if not isinstance(node.value, ast.Constant):
                return None
        elif isinstance(node, ACTS) or (isinstance(node, ast.Attribute | ast.Subscript) and not _is_read(node)):
            return None
        elif isinstance(node, ast.Call):
            said = _called_as(node)
            if said is None:
                return None
            found += said
            if isinstance(node.func, ast.Lambda):
                ahead.append(node.func.body)
        elif isinstance(node, ast.Attribute) and BUSY.fullmatch(node.attr):
            found.append(_chain(node) or "")  # handed on to be called
        ahead += ast.iter_child_nodes(node)
    return sorted(set(found))


def _is_read(node: ast.Attribute | ast.Subscript) -> bool:
    return isinstance(node.ctx, ast.Load)


def _called_as(call: ast.Call) -> list[str] | None:
    """What a call calls: a chain; nothing new for a method of a value made there; None where it cannot be known."""
    if chain := _chain(call.func):
        return [chain]
    if isinstance(call.func, ast.Attribute):
        return None if BUSY.fullmatch(call.func.attr) else []
    return [] if isinstance(call.func, ast.Call | ast.Lambda) else None


def _called(nodes: list[ast.AST]) -> list[str] | None:
    """What a function calls when it is called; None if it certainly changes what is not its own."""
    every = [child for node in nodes for child in ast.walk(node)]
    fresh = _fresh(every)
    found: set[str] = set()
    for node in every:
        if isinstance(node, ast.Global):
            return None
        if isinstance(node, ast.Attribute | ast.Subscript) and not _is_read(node):
            root: ast.AST = node
            while isinstance(root, ast.Attribute | ast.Subscript):
                root = root.value
            if not isinstance(root, ast.Name) or root.id not in fresh:
                return None
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id not in fresh:
            return None
        elif isinstance(node, ast.Call):
            said = _called_as(node)
            if said is None:
                return None
            found |= {chain for chain in said if chain.split(".")[0] not in fresh}
    return sorted(found)


def _fresh(every: Iterable[ast.AST]) -> set[str]:
    """Names that a function only ever binds to values that it makes itself."""
    made: dict[str, bool] = {}
    shared = (ast.Name, ast.Attribute, ast.Subscript, ast.IfExp, ast.BoolOp, ast.NamedExpr)
    for node in every:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            called = node.value.func if isinstance(node.value, ast.Call) else None
            part_of = isinstance(called, ast.Attribute) and called.attr in (
                "get",
                "setdefault",
                "pop",
                "values",
                "items",
            )
            own = not isinstance(node.value, shared) and not part_of
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    made[target.id] = made.get(target.id, True) and own
    taken = {node.arg for node in every if isinstance(node, ast.arg)}
    return {name for name, own in made.items() if own} - taken


def _hooks(node: ast.ClassDef) -> list[str]:
    """What a class does when it is derived from or made, beyond filling its fields; its bases, as ``class base``."""
    own = {item.name for item in node.body if isinstance(item, ast.FunctionDef)} & HOOKS
    meta = {"metaclass" for word in node.keywords if word.arg == "metaclass"}
    bases = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
    return sorted({*own, *meta, *(f"class {_chain(base) or ''}" for base in bases)})


def _stripped(root: ast.AST) -> list[ast.AST]:
    """All nodes of a tree from which docstrings and type hints are taken away, unless something may read the hints."""
    found, ahead = [], [root]
    kept: set[int] = set()
    """Hints from which a record's fields are read."""
    while ahead:
        node = ahead.pop()
        found.append(node)
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            body[:1] = [] if body[1:] else [ast.Pass()]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if _untyped(node.decorator_list):
                node.returns = None
                for argument in ast.walk(node.args):
                    if isinstance(argument, ast.arg):
                        argument.annotation = None
        elif isinstance(node, ast.ClassDef):
            bare = not node.decorator_list and {(_chain(b) or "?").split(".")[-1] for b in node.bases} <= HINTLESS
            kept |= set() if bare else {id(item) for item in node.body}
        elif isinstance(node, ast.AnnAssign) and id(node) not in kept:
            node.annotation = ast.Constant(None)
        for field in node._fields:  # as ast.iter_child_nodes, three times as fast
            value = getattr(node, field, None)
            if isinstance(value, list):
                ahead += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                ahead.append(value)
    return found


def _untyped(decorators: Iterable[ast.expr]) -> bool:
    """Whether no decorator reads type hints."""
    chains = (_chain(d.func if isinstance(d, ast.Call) else d) for d in decorators)
    return all((chain or "?").split(".")[-1] in UNTYPED for chain in chains)
