"""What has to hold between the parts of a config that are each right by themselves."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tradingd.columns import DAY_TIMEFRAME, TIMEFRAMES, parent_level
from tradingd.config import places
from tradingd.config.kinds import strategy_problems
from tradingd.config.problems import Problem, suggestion
from tradingd.config.settings import Config, JournalPlace
from tradingd.config.zones import UnknownZoneError, bake
from tradingd.feeds.settings import BarFile, BarsSettings, FeedSettings, RecordedFile, SimulatedSettings, TickFile
from tradingd.instruments import AccountSettings, Instrument
from tradingd.journal.settings import FileAnchorSettings

INT64_MAX = 2**63 - 1


def inconsistencies(config: Config, base: Path) -> list[Problem]:
    """All of them; relative paths start at `base`."""
    return [
        *_duplicates("instruments", "id", [i.id for i in config.instruments]),
        *_duplicates("accounts", "currency", [a.currency for a in config.accounts]),
        *_duplicates("feeds", "name", [f.name for f in config.feeds]),
        *_duplicates("strategies", "name", [s.name for s in config.strategies]),
        *(p for n, item in enumerate(config.instruments) for p in _instrument(item, f"instruments[{n}]", config)),
        *(p for n, item in enumerate(config.accounts) for p in _account(item, f"accounts[{n}]")),
        *(p for n, item in enumerate(config.accounts) for p in _conversion(item, f"accounts[{n}].conversion", config)),
        *(p for n, item in enumerate(config.feeds) for p in _feed(item, f"feeds[{n}]", config, base)),
        *_racing(config),
        *_known_instruments(config),
        *(p for n, item in enumerate(config.strategies) for p in strategy_problems(item, f"strategies[{n}]", base)),
        *_quorum(config),
        *_path(config.journal.folder, "journal.folder", base),
        *_signing(config.journal, base),
        *_retention(config, base),
        *_duplicates("journal.anchors", "name", [a.name for a in config.journal.anchors]),
        *_path(config.daemon.control_socket, "daemon.control_socket", base),
    ]


def _duplicates(path: str, key: str, names: Sequence[str]) -> Iterator[Problem]:
    for name, count in Counter(names).items():
        if count > 1:
            indices = [str(n) for n, each in enumerate(names) if each == name]
            yield Problem(f"{path}[{indices[-1]}].{key}", f'"{name}" is there {count} times ({", ".join(indices)})')


def _instrument(instrument: Instrument, path: str, config: Config) -> Iterator[Problem]:
    if instrument.currency not in (account.currency for account in config.accounts):
        yield Problem(f"{path}.currency", f"no account in {instrument.currency}; add one to accounts")
    if instrument.session.utc_offsets:
        yield Problem(f"{path}.session.utc_offsets", "is worked out from the time zone; leave it out")
    try:
        baked = bake(instrument)
    except UnknownZoneError as error:
        yield Problem(f"{path}.session.timezone", str(error))
        return
    yield from _day_bars(baked, path, config.timeframes_of(instrument.id))


def _day_bars(instrument: Instrument, path: str, used: list[int]) -> Iterator[Problem]:
    """Bars of a day are made of finer ones, which have to end where its session does."""
    if len(used) > 1 and DAY_TIMEFRAME in used and parent_level(instrument.session, DAY_TIMEFRAME, used[:-1]) is None:
        names = ", ".join(TIMEFRAMES[index] for index in used[:-1])
        yield Problem(
            f"{path}.session", f"its 1d bars are made of no timeframe in use ({names}); add 1m to bars.timeframes"
        )


def _account(account: AccountSettings, path: str) -> Iterator[Problem]:
    try:
        units = account.balance_units
    except ValueError as error:
        yield Problem(f"{path}.balance", str(error))
        return
    if units > INT64_MAX:
        yield Problem(f"{path}.balance", f"does not fit into 64 bits in units of {account.unit}; take a larger unit")


def _feed(feed: FeedSettings, path: str, config: Config, base: Path) -> Iterator[Problem]:
    ids = [instrument.id for instrument in config.instruments]
    if isinstance(feed, SimulatedSettings):
        for n, market in enumerate(feed.instruments):
            yield from _known(market.instrument, f"{path}.instruments[{n}].instrument", ids)
        return
    files: tuple[RecordedFile | TickFile | BarFile, ...] = feed.files
    for n, file in enumerate(files):
        yield from _file(file.path, f"{path}.files[{n}].path", base)
        if not isinstance(file, RecordedFile) and file.instrument:
            yield from _known(file.instrument, f"{path}.files[{n}].instrument", ids)
        if isinstance(file, BarFile):
            yield from _finest(file, f"{path}.files[{n}].timeframe", config)
        elif file.venue and file.venue not in (instrument.venue for instrument in config.instruments):
            yield Problem(f"{path}.files[{n}].venue", f'no instrument is of the venue "{file.venue}"')
    for n, rates in enumerate(feed.funding if isinstance(feed, BarsSettings) else ()):
        yield from _file(rates.path, f"{path}.funding[{n}].path", base)
        yield from _known(rates.instrument, f"{path}.funding[{n}].instrument", ids)
        yield from _charged_twice(rates.instrument, f"{path}.funding[{n}].instrument", config)


def _charged_twice(name: str, path: str, config: Config) -> Iterator[Problem]:
    for n, instrument in enumerate(config.instruments):
        if instrument.id == name and instrument.financing.funding_rate:
            yield Problem(path, f"instruments[{n}].financing.funding_rate charges {name} already; leave out one")


def _finest(file: BarFile, path: str, config: Config) -> Iterator[Problem]:
    """Bars are made of finer ones, never of coarser."""
    finest = TIMEFRAMES[config.timeframes_of(file.instrument)[0]]
    if finest != file.timeframe:
        yield Problem(path, f"is {file.timeframe}; {finest} is in use for {file.instrument} (see bars.timeframes)")


def _racing(config: Config) -> Iterator[Problem]:
    """Each would push the others' time ahead, by as much as it happens to be quicker in a run."""
    racing = [n for n, feed in enumerate(config.feeds) if feed.pace == "max"]
    if len(racing) > 1:
        names = ", ".join(config.feeds[n].name for n in racing)
        yield Problem(
            f"feeds[{racing[1]}].pace",
            f'only one feed can have pace "max", these have: {names}; put their files into one feed, or set '
            'pace = "recorded"',
        )


def _conversion(account: AccountSettings, path: str, config: Config) -> Iterator[Problem]:
    if (told := account.conversion) is None:
        return
    yield from _known(told.instrument, f"{path}.instrument", [i.id for i in config.instruments])
    target = next((each for each in config.accounts if each.currency == told.into), None)
    if target is None:
        yield Problem(f"{path}.into", f"no account in {told.into}; add one to accounts")
    elif target.conversion is not None or target is account:
        yield Problem(f"{path}.into", f"the account in {told.into} counts in another one itself; name that one")


def _known_instruments(config: Config) -> Iterator[Problem]:
    ids = [instrument.id for instrument in config.instruments]
    for n, strategy in enumerate(config.strategies):
        for m, name in enumerate(strategy.instruments):
            yield from _known(name, f"strategies[{n}].instruments[{m}]", ids)
    for n, name in enumerate(config.risk.restricted):
        yield from _known(name, f"risk.restricted[{n}]", ids)


def _known(name: str, path: str, ids: Iterable[str]) -> Iterator[Problem]:
    if name not in ids:
        yield Problem(path, f'no instrument "{name}"{suggestion(name, ids)}')


def _quorum(config: Config) -> Iterator[Problem]:
    voters = Counter(name for strategy in config.strategies for name in strategy.instruments)
    most = max(voters.values(), default=0)
    if config.strategies and config.combine.quorum > most:
        yield Problem(
            "combine.quorum", f"{config.combine.quorum} votes are never reached: at most {most} vote on an instrument"
        )


def _signing(journal: JournalPlace, base: Path) -> Iterator[Problem]:
    if journal.signing is not None:
        yield from _file(journal.signing.key_file, "journal.signing.key_file", base)
    elif journal.anchors:
        yield Problem("journal.anchors", "need a key that signs; `trade journal keygen` makes one for journal.signing")
    for n, anchor in enumerate(journal.anchors):
        if isinstance(anchor, FileAnchorSettings):
            yield from _path(anchor.path, f"journal.anchors[{n}].path", base)


def _retention(config: Config, base: Path) -> Iterator[Problem]:
    if config.journal.retention is None:
        return
    path = "journal.retention.archive_to"
    try:
        target = places.place(config.journal.retention.archive_to, base)
        if target.is_relative_to(places.journal_folder(config.journal.folder, config.name, base)):
            yield Problem(path, "is within the journal; name a folder elsewhere")
    except ValueError as error:
        yield Problem(path, str(error))


def _file(text: str, path: str, base: Path) -> Iterator[Problem]:
    found = list(_path(text, path, base))
    yield from found
    if not found and not places.place(text, base).is_file():
        yield Problem(path, f"no file {places.place(text, base)}")


def _path(text: str, path: str, base: Path) -> Iterator[Problem]:
    try:
        places.place(text, base)
    except ValueError as error:
        yield Problem(path, str(error))
