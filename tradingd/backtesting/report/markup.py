"""HTML from text. What goes into a tag is escaped here, so that nothing else has to think of it."""

from collections.abc import Iterable, Sequence
from html import escape

import msgspec

# In a script element only a `<` could end the data; the separators are line ends to old parsers of scripts.
_SCRIPT = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, *content: str, **attributes: str | None) -> Html:
    """An element; `kind` is its class, an attribute that is None is left out."""
    pairs = ((key.replace("kind", "class").replace("_", "-"), value) for key, value in attributes.items())
    said = "".join(f' {key}="{escape(value)}"' for key, value in pairs if value is not None)
    return Html(f"<{name}{said}>{joined(content)}</{name}>")


def joined(parts: Iterable[str]) -> Html:
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], kind: str | None = None) -> Html:
    """The first cell of a row names it. Wider than the page, it scrolls in its box, also by keys."""
    columns = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head))) if head else Html()
    body = tag("tbody", *(_row(cells) for cells in rows))
    made = tag("table", tag("caption", caption), columns, body, kind=kind)
    if not head:
        return tag("div", made, kind="wide")
    return tag("div", made, kind="wide", tabindex="0", role="region", aria_label=caption)


def _row(cells: Sequence[str]) -> Html:
    rest = (cell if cell.startswith("<td") and isinstance(cell, Html) else tag("td", cell) for cell in cells[1:])
    return tag("tr", tag("th", cells[0], scope="row"), *rest)


def script_data(value: object) -> Html:
    """JSON as the content of a script element; NaN is null."""
    return Html(msgspec.json.encode(value).decode().translate(_SCRIPT))
