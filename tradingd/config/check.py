"""Checks plain TOML values against a msgspec type and reports every problem, where msgspec stops at the first."""

import math
import re
import types
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo

from tradingd.config.problems import Problem, join, suggestion
from tradingd.config.words import choices_of, described, in_words


def check(value: object, kind: Any, path: str = "") -> list[Problem]:
    """All problems of `value` as a `kind` (a type as in an annotation); none means that msgspec converts it."""
    found = _inside(value, _bare(kind), path)
    return found or _whole(value, kind, path)


def _inside(value: object, kind: Any, path: str) -> list[Problem]:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _union(value, get_args(kind), path)
    if isinstance(value, list) and origin in (list, tuple):
        item = get_args(kind)[0]
        return [p for i, each in enumerate(value) for p in check(each, item, f"{path}[{i}]")]
    if isinstance(value, dict) and origin is dict:
        item = get_args(kind)[1]
        return [p for key, each in value.items() for p in check(each, item, join(path, key))]
    if isinstance(value, dict) and _is_struct(kind):
        return _struct(value, kind, path)
    return []


def _struct(table: dict[str, Any], kind: type[Struct], path: str) -> list[Problem]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    config = kind.__struct_config__
    unknown = [key for key in table if key not in fields and key != config.tag_field]
    missing = [name for name, field in fields.items() if _required(field) and name not in table]
    return [
        *(Problem(join(path, key), f"unknown key{suggestion(key, fields)}") for key in unknown),
        *(Problem(join(path, name), f"missing ({described(fields[name].type)})") for name in missing),
        *(p for key in table if key in fields for p in check(table[key], fields[key].type, join(path, key))),
    ]


def _union(value: object, members: tuple[Any, ...], path: str) -> list[Problem]:
    """A table is one of the structs: the only one, or the one that its tag names."""
    structs = [_bare(member) for member in members if _is_struct(_bare(member))]
    if not isinstance(value, dict) or not structs:
        return []
    if len(structs) == 1:
        return _struct(value, structs[0], path)
    tag_field = structs[0].__struct_config__.tag_field
    by_tag = {member.__struct_config__.tag: member for member in structs}
    tag = value.get(tag_field)
    if isinstance(tag, str) and tag in by_tag:
        return _struct(value, by_tag[tag], path)
    text = "missing" if tag is None else f'unknown {tag_field} "{tag}"'
    return [Problem(join(path, tag_field), text + suggestion(str(tag), by_tag))]


def _whole(value: object, kind: Any, path: str) -> list[Problem]:
    if isinstance(value, float) and not math.isfinite(value):
        return [Problem(path, f"expected a finite number, got {value}")]
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return [Problem(path, _explained(str(error), value, kind))]
    return []


def _explained(message: str, value: object, kind: Any) -> str:
    """msgspec's words without its own path, with the value that was met and what could stand there."""
    if isinstance(value, str) and (choices := choices_of(_bare(kind))):
        return f'unknown value "{value}"{suggestion(value, choices)}'
    if choices_of(_bare(kind)):
        return f"unknown value {value!r}; it is {described(_bare(kind))}"
    text = re.sub(r" - at `.*`$", "", message)
    text = re.sub(r"`([^`]*)`", lambda match: in_words(match[1]), text)
    text = text.replace("string matching regex", "string of the form")
    text = text[0].lower() + text[1:]
    return text if "got" in text or isinstance(value, (dict, list)) else f"{text}, got {value!r}"


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _required(field: FieldInfo) -> bool:
    return field.default is NODEFAULT and field.default_factory is NODEFAULT
