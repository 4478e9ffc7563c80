"""Only the gate may approve an order."""

import ast
from pathlib import Path

import tradingd

PACKAGE = Path(tradingd.__file__).parent


def makers_of_approved(path: Path) -> list[int]:
    """Lines that call Approved, under whatever name it was imported, or reach it through its module."""
    tree = ast.parse(path.read_text())
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "tradingd.commands"
        for alias in node.names
        if alias.name == "Approved"
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id in names)
            or (isinstance(node.func, ast.Attribute) and node.func.attr == "Approved")
        )
    ]


def test_only_risk_constructs_approved() -> None:
    makers = {
        path.relative_to(PACKAGE).as_posix(): lines
        for path in sorted(PACKAGE.rglob("*.py"))
        if (lines := makers_of_approved(path))
    }
    assert list(makers) == ["risk/gate.py"]
