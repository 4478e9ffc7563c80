"""How files are to be read: the format, what the command line adds to it, and the columns that a file has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.formats import CLOSE, OPEN, Layout, kind_of_roles, layouts
from tradingd.catalogue.sessions import parse_session, session_text
from tradingd.catalogue.shapes import DAY, PRICES, Kind, timeframe_ns
from tradingd.catalogue.stamps import check_ts_format
from tradingd.catalogue.tables import column_of
from tradingd.instruments import Session


@dataclass(frozen=True)
class Asked:
    """What the command line says.

    columns   column of the file by role (ts, open, price, bid ...)
    where     (column, value) of the rows that are wanted
    blanks    rows without a close are none, as before a listing
    kind      what to take of a file that holds both trades and quotes
    """

    format: str
    timeframe: str | None = None
    stamp: str | None = None
    timezone: str | None = None
    ts_format: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    where: tuple[str, str] | None = None
    session: str | None = None
    blanks: bool = False
    kind: Kind | None = None


@dataclass(frozen=True)
class Plan:
    """What one file's rows become, and how.

    columns   column of this file by role; a role that starts with _ only tells layouts apart
    where     (column, value) pairs that a row has to have to be one
    session   of daily bars always: what a date means
    """

    format: str
    kind: Kind
    columns: Mapping[str, str]
    ts_format: str
    timezone: str | None
    stamp: str | None
    timeframe: str | None
    where: tuple[tuple[str, str], ...]
    session: Session | None
    blanks: bool

    @property
    def used(self) -> list[str]:
        """Each column once."""
        wanted = [*self.columns.values(), *(column for column, _ in self.where)]
        return list(dict.fromkeys(wanted))

    @property
    def session_text(self) -> str | None:
        return session_text(self.session) if self.session else None


def plan_of(asked: Asked, path: Path, there: Sequence[str]) -> Plan:
    """For a file with these columns. Raises CatalogueError."""
    layout = _layout(asked, path, there)
    columns = _found(layout, path, there)
    is_bars = layout.kind is Kind.BARS
    if not is_bars and (asked.timeframe or asked.stamp):
        raise CatalogueError(f"{path} holds {layout.kind}, not bars; leave --timeframe and --stamp out")
    timeframe = _timeframe(asked, layout) if is_bars else None
    timezone = asked.timezone or layout.timezone
    return Plan(
        format=asked.format,
        kind=layout.kind,
        columns=columns,
        ts_format=check_ts_format(asked.ts_format or layout.ts_format),
        timezone=timezone,
        stamp=_stamp(asked, layout) if is_bars else None,
        timeframe=timeframe,
        where=(*_where(asked, path, there), *([layout.rows] if layout.rows else [])),
        session=_session(asked, layout, timezone, timeframe),
        blanks=asked.blanks,
    )


def _layout(asked: Asked, path: Path, there: Sequence[str]) -> Layout:
    """With the columns that the command line names; of `csv` these are all, where a price is among them."""
    known = layouts(asked.format)
    if asked.format == "csv" and {*PRICES, "price", "bid", "ask"} & set(asked.columns):
        return Layout(kind_of_roles(asked.columns), asked.columns)
    fitting = [each for each in known if len(known) == 1 or not _missing(each, there)]
    if fitting and asked.kind is not None:
        fitting = _of_kind(asked.kind, fitting, path)
    if not fitting:
        wanted = " or ".join(", ".join(_required(each).values()) for each in known)
        raise CatalogueError(f"{path} is not of the format {asked.format}: it has {_listed(there)}, and not {wanted}")
    layout = fitting[0]
    roles = dict.fromkeys(["ts", *layout.columns])
    for role in asked.columns:
        if role not in roles:
            raise CatalogueError(f"--columns: {layout.kind} have no {role!r}; they have {', '.join(roles)}")
    return replace(layout, columns={**layout.columns, **asked.columns})


def _of_kind(kind: Kind, fitting: list[Layout], path: Path) -> list[Layout]:
    found = [each for each in fitting if each.kind is kind]
    if not found:
        raise CatalogueError(f"{path} holds no {kind}, but {fitting[0].kind}; leave --kind out")
    return found


def _required(layout: Layout) -> dict[str, str]:
    return {role: name for role, name in layout.columns.items() if role not in layout.optional}


def _missing(layout: Layout, there: Sequence[str]) -> list[str]:
    return [name for name in _required(layout).values() if column_of(there, name) is None]


def _found(layout: Layout, path: Path, there: Sequence[str]) -> dict[str, str]:
    if "ts" not in layout.columns:
        raise CatalogueError(f"say which column of {path} is the time: --columns ts=...; it has {_listed(there)}")
    if layout.kind is Kind.BARS and not set(PRICES) & set(layout.columns):
        raise CatalogueError(
            "--columns: bars need a price, at least close=...; trades price=..., quotes bid=..., ask=..."
        )
    missing = _missing(layout, there)
    if missing:
        raise CatalogueError(f"{path} has no column {missing[0]!r}; it has {_listed(there)}. Say which with --columns")
    columns = {role: column_of(there, name) for role, name in layout.columns.items()}
    return {role: name for role, name in columns.items() if name is not None}


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(name or "''" for name in columns[:20])
    return f"{shown} and {len(columns) - 20} more" if len(columns) > 20 else shown


def _timeframe(asked: Asked, layout: Layout) -> str:
    timeframe = asked.timeframe or layout.timeframe
    if timeframe is None:
        raise CatalogueError("say how long a bar is: --timeframe 1m")
    if layout.timeframe not in (None, timeframe):
        raise CatalogueError(f"these are bars of {layout.timeframe}; leave --timeframe out")
    timeframe_ns(timeframe)
    return timeframe


def _stamp(asked: Asked, layout: Layout) -> str:
    if asked.stamp and layout.stamp and asked.stamp != layout.stamp:
        raise CatalogueError(f"the format {asked.format} stamps the {layout.stamp} of a bar; leave --stamp out")
    stamp = asked.stamp or layout.stamp
    if stamp not in (OPEN, CLOSE):
        raise CatalogueError("say which end of a bar the file stamps: --stamp open or --stamp close")
    return stamp


def _where(asked: Asked, path: Path, there: Sequence[str]) -> tuple[tuple[str, str], ...]:
    if asked.where is None:
        return ()
    column = column_of(there, asked.where[0])
    if column is None:
        raise CatalogueError(f"{path} has no column {asked.where[0]!r} for --where; it has {_listed(there)}")
    return ((column, asked.where[1]),)


def _session(asked: Asked, layout: Layout, timezone: str | None, timeframe: str | None) -> Session | None:
    """A day needs borders: those of the calendar, in a zone that has to be said."""
    calendar = parse_session(f"@{timezone}") if timezone else None
    session = parse_session(asked.session, timezone) if asked.session else calendar
    if timeframe != DAY:
        return session if asked.session else None
    if session is None:
        raise CatalogueError("say whose days these are: --timezone America/New_York, or --session")
    if layout.timezone and (session.timezone, session.open, session.close) != (layout.timezone, "00:00", "00:00"):
        raise CatalogueError(
            f"days of the format {asked.format} are those of {layout.timezone}, from midnight to midnight; "
            "of --session say the weekdays alone, like mon-fri, and leave --timezone out"
        )
    return session
