"""What a user's strategy file may contain. A guard against mistakes that break re-execution, not a sandbox."""

import ast
from collections.abc import Iterator
from typing import NoReturn

from tradingd.strategies.contract import StrategyError

IMPORTS = (
    "__future__", "collections.abc", "dataclasses", "msgspec", "numba", "numpy", "tradingd.kernels",
    "tradingd.strategies", "typing",
)  # fmt: skip
# Results of these differ between machines or runs.
NUMPY_NAMES = {
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "cbrt", "cos", "cosh", "datetime64",
    "exp", "exp2", "expm1", "float_power", "hypot", "log", "log10", "log1p", "log2", "logaddexp", "pow", "power",
    "random", "sin", "sinh", "tan", "tanh",
}  # fmt: skip
BUILTINS = {
    "__import__", "breakpoint", "compile", "eval", "exec", "globals", "hash", "id", "input", "open", "vars",
}  # fmt: skip


def check_source(text: str, file: str) -> None:
    """Raises StrategyError with file and line for the first thing that is not allowed."""
    try:
        tree = ast.parse(text, file)
    except SyntaxError as error:
        raise StrategyError(f"{file}:{error.lineno}: {error.msg}") from error
    aliases = {alias for node in ast.walk(tree) for alias in _numpy_aliases(node)}
    for node in ast.walk(tree):
        for module in _imported(node):
            _check_import(module, node, file)
        _check_node(node, aliases, file)


def _numpy_aliases(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (name.asname or name.name for name in node.names if name.name == "numpy")


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (name.name for name in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield "." * node.level + (node.module or "")


def _check_import(module: str, node: ast.AST, file: str) -> None:
    if not any(module == allowed or module.startswith(f"{allowed}.") for allowed in IMPORTS):
        _refuse(node, file, f"import of {module} is not allowed; allowed: {', '.join(IMPORTS)}")


def _check_node(node: ast.AST, numpy_aliases: set[str], file: str) -> None:
    match node:
        case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in numpy_aliases and name in NUMPY_NAMES:
            _refuse(node, file, f"{owner}.{name} differs between machines; use + - * / and {owner}.sqrt")
        case ast.ImportFrom(module="numpy", names=names) if taken := [n.name for n in names if n.name in NUMPY_NAMES]:
            _refuse(node, file, f"numpy.{taken[0]} differs between machines; use + - * / and numpy.sqrt")
        case ast.ImportFrom(module=str(module)) if module == "numpy.random" or module.startswith("numpy.random."):
            _refuse(node, file, "numpy.random keeps its state outside; use tradingd.kernels.random")
        case ast.BinOp(op=ast.Pow(), right=right) | ast.AugAssign(op=ast.Pow(), value=right) if not _whole(right):
            _refuse(node, file, "a power that is no whole number differs between machines; use + - * / and np.sqrt")
        case ast.Name(id=name) if name in BUILTINS:
            _refuse(node, file, f"{name} is not allowed in a strategy")
        case ast.FunctionDef(decorator_list=decorators, body=body) if any(map(_is_compiled, decorators)):
            _check_step(body, file)


def _whole(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _is_compiled(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Name) and called.id == "compiled"


def _check_step(body: list[ast.stmt], file: str) -> None:
    for node in (inner for statement in body for inner in ast.walk(statement)):
        if isinstance(node, ast.Raise | ast.Assert):
            _refuse(node, file, "a compiled step can not raise; nobody would hear it")


def _refuse(node: ast.AST, file: str, reason: str) -> NoReturn:
    raise StrategyError(f"{file}:{getattr(node, 'lineno', 1)}: {reason}")
