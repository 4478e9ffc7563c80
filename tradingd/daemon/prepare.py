"""What is settled before the first task of a run starts: the journal is open and recovered, the feeds are built."""

import platform
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tradingd.config.load import core_settings, digest
from tradingd.config.settings import Config
from tradingd.core.advance import load_kernels
from tradingd.core.memory import Library
from tradingd.core.settings import CoreSettings, encode_settings
from tradingd.daemon.anchoring import Signing, signer_of, signing_of
from tradingd.daemon.recovery import Identity, Recovered, continued, continued_sources, recover
from tradingd.events import FeedState, FeedStatus, RunStarted
from tradingd.feeds.build import build_feed
from tradingd.feeds.contract import Feed
from tradingd.journal.reader import JournalReader
from tradingd.journal.writer import Journal
from tradingd.rerun import code_digest, load_library, user_texts, versions


@dataclass(frozen=True, slots=True)
class Prepared:
    config: Config
    settings: CoreSettings  # with the journal's instruments in the journal's order
    library: Library
    identity: Identity
    journal: Journal
    sources: tuple[str, ...]
    feeds: list[Feed]
    recovered: Recovered
    signing: Signing | None


def prepare(config: Config, base: Path) -> Prepared:
    """Opens and recovers the journal, and builds the feeds; nothing is journalled yet. `base` is the config's folder.

    Raises JournalError, RecoveryError, StrategyError, FeedConfigError.
    """
    library = load_library(core_settings(config), base)
    signer = signer_of(config.journal)
    with ExitStack() as failing:
        journal = Journal.open(Path(config.journal.folder), config.journal)
        failing.callback(journal.abandon)
        signing = signing_of(config.journal, signer)
        with journal.reader() as reader:
            previous = newest_run(reader)
            settings = continued(core_settings(config), previous)
            identity = Identity(config=digest(settings), code=code_digest(library))
            recovered = recover(reader, settings, library, identity)
            told = told_by_feeds(reader)
        load_kernels(recovered.state)
        sources = continued_sources([feed.name for feed in config.feeds], previous)
        feeds = [build_feed(feed, sources.index(feed.name), settings.instruments, base) for feed in config.feeds]
        for feed in feeds:
            if rows := recovered.state.ledger.cursors.get(feed.name, 0):
                feed.inputs.check(feed.name, told.get(feed.name, ""), rows)
        failing.pop_all()
    return Prepared(config, settings, library, identity, journal, sources, feeds, recovered, signing)


def run_started(p: Prepared) -> RunStarted:
    """What a run says of itself, first of all."""
    return RunStarted(
        journal_id=p.journal.id,
        epoch=p.journal.epoch,
        config=encode_settings(p.settings),
        config_digest=p.identity.config,
        code_digest=p.identity.code,
        sources=p.sources,
        strategies=user_texts(p.library),
        versions=versions(),
        processor=platform.processor() or platform.machine(),
        resumed=p.recovered.how,
        warm_from_seq=p.recovered.warm_from_seq,
    )


def newest_run(reader: JournalReader) -> RunStarted | None:
    """The newest start of a run; None in an empty journal."""
    return next((event.body for event in reader.events(RunStarted) if isinstance(event.body, RunStarted)), None)


def told_by_feeds(reader: JournalReader) -> dict[str, str]:
    """What each feed said when it last began."""
    said = (event.body for event in reader.events(FeedStatus))
    began = [body for body in said if isinstance(body, FeedStatus) and body.state is FeedState.CONNECTED]
    return {body.feed: body.detail for body in reversed(began)}
