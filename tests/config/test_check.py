"""Every problem of a value at once, each with its path; and none exactly where msgspec converts it."""

import enum
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from tradingd.config.check import check


class Colour(enum.StrEnum):
    RED = "red"
    GREEN = "green"


class Circle(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="circle"):
    radius: Annotated[float, Meta(gt=0)]


class Square(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="square"):
    side: float
    colour: Colour = Colour.RED


class Even(Struct, frozen=True, forbid_unknown_fields=True):
    number: int = 0

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError("has to be even")


class Drawing(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    shapes: Annotated[tuple[Circle | Square, ...], Meta(min_length=1)]
    size: Literal["small", "large"] = "small"
    notes: dict[str, bool | int] = {}
    even: Even = Even()
    limit: Annotated[float, Meta(ge=0)] | None = None


GOOD = {"name": "d", "shapes": [{"kind": "circle", "radius": 1.5}]}


def problems(**changes: object) -> list[str]:
    return [str(problem) for problem in check(GOOD | changes, Drawing)]


def test_what_is_right_has_no_problems() -> None:
    assert problems() == []
    assert problems(limit=3, even={"number": 4}, notes={"a": True, "b-c": 1}) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"nam": "x"}, 'nam: unknown key, did you mean "name"?'),
        ({"name": 3}, "name: expected string, got whole number"),
        ({"shapes": []}, "shapes: expected list of length >= 1"),
        ({"shapes": {}}, "shapes: expected list, got table"),
        ({"shapes": [7]}, "shapes[0]: expected table, got whole number"),
        ({"shapes": [{"radius": 1}]}, "shapes[0].kind: missing (known: circle, square)"),
        ({"shapes": [{"kind": "cirle"}]}, 'shapes[0].kind: unknown kind "cirle", did you mean "circle"?'),
        ({"shapes": [{"kind": "circle"}]}, "shapes[0].radius: missing (number > 0)"),
        ({"shapes": [{"kind": "circle", "radius": 0}]}, "shapes[0].radius: expected number > 0.0, got 0"),
        (
            {"shapes": [{"kind": "square", "side": 1, "colour": "gren"}]},
            'shapes[0].colour: unknown value "gren", did you mean "green"?',
        ),
        ({"size": "huge"}, 'size: unknown value "huge" (known: small, large)'),
        ({"notes": {"a b": "x"}}, 'notes."a b": expected true or false or whole number, got string'),
        ({"even": {"number": 3}}, "even: has to be even"),
        ({"limit": -1.0}, "limit: expected number >= 0.0, got -1.0"),
        ({"limit": float("nan")}, "limit: expected a finite number, got nan"),
        ({"limit": float("inf")}, "limit: expected a finite number, got inf"),
    ],
)
def test_each_problem_is_one_line_with_its_path(changes: dict[str, object], expected: str) -> None:
    assert problems(**changes) == [expected]


def test_all_problems_come_at_once() -> None:
    shapes = [{"kind": "circle", "radius": -1}, {"kind": "square", "sid": 1}]
    found = problems(name=1, shapes=shapes, limit="x", extra=0)
    assert [line.partition(":")[0] for line in found] == [
        "extra", "name", "shapes[0].radius", "shapes[1].sid", "shapes[1].side", "limit",
    ]  # fmt: skip


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(-2, 2)
    | st.sampled_from(["circle", "square", "red", "x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["kind", "radius", "side", "colour", "number", "z"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["name", "shapes", "size", "notes", "even", "limit", "q"]), values))
def test_there_are_problems_exactly_where_msgspec_refuses(raw: dict[str, object]) -> None:
    try:
        msgspec.convert(raw, Drawing)
        refused = False
    except msgspec.ValidationError:
        refused = True
    assert bool(check(raw, Drawing)) == refused
