"""Every setting with its type, default and meaning, made from the structs themselves."""

import inspect
import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo

from tradingd.config.settings import Config
from tradingd.config.words import described

HEAD = """# Configuration

A config is one TOML file. Unknown keys are refused, and all problems are reported at once: `trade config check FILE`.
Paths are relative to the file; `${NAME}` in a path stands for an environment variable. Any value can be changed where a
config is taken: `--set strategies.cross.params.fast=20`, an item of a list by its name, id or index.

This page is made by `trade config schema`.
"""
BAKED = "utc_offsets"  # worked out from the time zone, never written


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12, for editors."""
    return msgspec.json.schema(Config)


def markdown() -> str:
    """The reference page."""
    return "\n".join([HEAD, *(_section(path, kind) for path, kind in _tables(Config, ""))])


def _tables(kind: type[Struct], path: str) -> Iterator[tuple[str, type[Struct]]]:
    """Each table with its path, depth first, as it would stand in a file."""
    yield path, kind
    for field in msgspec.structs.fields(kind):
        for inner, many in _structs(field.type):
            name = f"{path.strip('[]')}.{field.encode_name}".lstrip(".")
            yield from _tables(inner, f"[[{name}]]" if many else f"[{name}]")


def _structs(kind: Any) -> Iterator[tuple[type[Struct], bool]]:
    """The tables inside of a type, and whether there may be many."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        yield from _structs(arguments[0])
    elif origin in (Union, types.UnionType):
        yield from (found for member in arguments for found in _structs(member))
    elif origin in (list, tuple):
        yield from ((inner, True) for inner, _ in _structs(arguments[0]))
    elif isinstance(kind, type) and issubclass(kind, Struct):
        yield kind, False


def _section(path: str, kind: type[Struct]) -> str:
    tag = kind.__struct_config__.tag
    title = f"`{path}`" if path else "At the top"
    lines = [f"## {title}" + (f' with `{kind.__struct_config__.tag_field} = "{tag}"`' if tag else ""), ""]
    for doc in _docs(kind):
        lines += ["```text", doc, "```", ""]
    lines += ["| key | value | default |", "|---|---|---|"]
    lines += [_row(field) for field in msgspec.structs.fields(kind) if field.name != BAKED]
    return "\n".join([*lines, ""])


def _docs(kind: type[Struct]) -> list[str]:
    """What the struct and the structs that it extends say of their keys."""
    bases = [base for base in kind.__mro__ if issubclass(base, Struct) and base is not Struct]
    return [inspect.cleandoc(base.__doc__) for base in bases if base.__doc__]


def _row(field: FieldInfo) -> str:
    cells = (f"`{field.encode_name}`", described(field.type), _default(field))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(field: FieldInfo) -> str:
    if field.default_factory is not NODEFAULT:
        return "empty"
    if field.default is NODEFAULT:
        return "**needed**"
    if field.default is None:
        return "off"
    if isinstance(field.default, Struct):
        return "as below"
    return f"`{msgspec.json.encode(field.default).decode()}`"
