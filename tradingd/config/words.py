"""Types in the words of people who write TOML."""

import enum
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import Meta, Struct

WORDS = {
    "str": "string",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "array": "list",
    "object": "table",
}


def described(kind: Any) -> str:
    """A type as in an annotation: `number > 0`, `list of string`, `"1s", "1m" or "1h"`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return described(arguments[0]) + _limits(arguments[1])
    if origin in (Union, types.UnionType):
        return _any_of([described(member) for member in arguments if member is not type(None)])
    if origin in (list, tuple):
        return _list_of(arguments)
    if choices := choices_of(kind):
        return _any_of([choice if choice.isdigit() else f'"{choice}"' for choice in choices])
    return "table" if origin is dict or issubclass(kind, Struct) else WORDS[kind.__name__]


def in_words(met: str) -> str:
    """msgspec's `int | float | null` as people say it; TOML has no null."""
    return " or ".join(WORDS.get(name, name) for name in met.split(" | ") if name != "null")


def choices_of(kind: Any) -> list[str]:
    """The values of an enum or a Literal; none for other types."""
    if get_origin(kind) is Literal:
        return [str(choice) for choice in get_args(kind)]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return [str(member.value) for member in kind]
    return []


def _limits(meta: Meta) -> str:
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    limits = [f"{sign} {getattr(meta, key):g}" for key, sign in signs.items() if getattr(meta, key) is not None]
    pattern = f" of the form {meta.pattern}" if meta.pattern else ""
    return (f" {' and '.join(limits)}" if limits else "") + pattern


def _list_of(items: tuple[Any, ...]) -> str:
    if len(items) > 1 and items[1] is not ...:
        return f"list of {len(items)}: {', '.join(described(item) for item in items)}"
    return f"list of {described(items[0])}"


def _any_of(words: list[str]) -> str:
    """Each once: all tables of a union are one."""
    unique = list(dict.fromkeys(words))
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} or {unique[-1]}"
