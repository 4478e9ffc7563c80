"""The pure half does no I/O, reads no clock, draws no chance and never iterates in the order of a hash."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tradingd"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
LAYERS = [re.findall(r"[\w.]+", layer) for layer in CONTRACTS[0]["layers"]]
PURE = [name.partition(".")[2] for layer in LAYERS[LAYERS.index(["tradingd.core"]) :] for name in layer]
# They compile or read a user's files once, at the start, and take no part in `advance`.
AT_START = {"kernels/compile.py", "strategies/loader.py", "strategies/scaffold.py"}
IMPURE = {
    "aiomqtt", "asyncio", "duckdb", "http", "httpx", "multiprocessing", "pickle", "polars", "pyarrow", "random",
    "secrets", "socket", "subprocess", "threading", "time", "torch", "urllib", "uuid", "websockets",
}  # fmt: skip
CLOCKS = {"now", "today", "utcnow"}
SETS = {"set", "frozenset"}


def pure_files() -> list[Path]:
    found = [file for name in PURE for file in (PACKAGE / f"{name}.py", *sorted((PACKAGE / name).rglob("*.py")))]
    return [file for file in found if file.is_file() and file.relative_to(PACKAGE).as_posix() not in AT_START]


def impurities(source: str) -> list[str]:
    return [text for node in ast.walk(ast.parse(source)) for text in _impurities(node)]


def _impurities(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (f"imports {name.name}" for name in names if name.name.partition(".")[0] in IMPURE)
        case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in IMPURE:
            yield f"imports {module}"
        case ast.Call(func=ast.Attribute(attr=attribute)) if attribute in CLOCKS:
            yield f"reads a clock: {ast.unparse(node)}"
        case ast.Call(func=ast.Name(id="open" | "input" | "print" as name)):
            yield f"calls {name}()"
        case ast.For(iter=what) | ast.comprehension(iter=what) if _is_set(what):
            yield f"iterates over a set: {ast.unparse(what)}"
        case ast.Call(func=ast.Name(id="list" | "tuple" | "enumerate" | "iter" | "next" as name), args=[what, *_]):
            if _is_set(what):
                yield f"makes a {name}() of a set: {ast.unparse(what)}"
        case ast.Starred(value=what) if _is_set(what):
            yield f"unpacks a set: {ast.unparse(what)}"


def _is_set(node: ast.AST) -> bool:
    """An expression that is plainly a set; `sorted()` of one is an order again."""
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in SETS
        case ast.BinOp(op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), left=left, right=right):
            return _is_set(left) or _is_set(right)
    return False


def test_every_part_of_the_package_has_its_layer() -> None:
    parts = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert {f"tradingd.{part}" for part in parts - {"__init__"}} == {name for layer in LAYERS[1:] for name in layer}


@pytest.mark.parametrize("file", pure_files(), ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_a_file_of_the_pure_half_is_pure(file: Path) -> None:
    assert impurities(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time", "import asyncio.queues", "from random import choice", "datetime.now(UTC)", "open('x')",
        "for x in {1, 2}: f(x)", "[x for x in set(y)]", "list({x for x in y})", "for x in set(a) - set(b): f(x)",
        "f(*frozenset(a))",
    ],
)  # fmt: skip
def test_what_is_not_pure_is_found(source: str) -> None:
    assert impurities(source)


@pytest.mark.parametrize("source", ["for x in sorted(set(y)): f(x)", "x in {1, 2}", "import numpy", "len(set(y))"])
def test_what_is_pure_is_left_alone(source: str) -> None:
    assert impurities(source) == []
