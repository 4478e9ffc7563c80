"""From a TOML file to a config that can be trusted: read, overridden, checked, its paths and zones resolved."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from tradingd.config import places
from tradingd.config.check import check
from tradingd.config.consistency import inconsistencies
from tradingd.config.overrides import apply_overrides
from tradingd.config.problems import ConfigError
from tradingd.config.settings import Config, JournalPlace
from tradingd.config.zones import bake
from tradingd.core.settings import CoreSettings
from tradingd.feeds.settings import BarsSettings, FeedSettings, SimulatedSettings
from tradingd.journal.settings import AnchorSettings, FileAnchorSettings


def load(path: Path, overrides: Sequence[str] = ()) -> Config:
    """The resolved config of a file. Raises ConfigError with every problem."""
    raw = places.read_toml(path)
    apply_overrides(raw, overrides)
    return resolve(raw, path.absolute().parent, str(path))


def resolve(raw: dict[str, Any], base: Path, where: str = "") -> Config:
    """The config of plain values: paths absolute (from `base`), sessions with their zones. Raises ConfigError."""
    if problems := check(raw, Config):
        raise ConfigError(problems, where)
    config = msgspec.convert(raw, Config)
    if problems := inconsistencies(config, base):
        raise ConfigError(problems, where)
    folder = places.journal_folder(config.journal.folder, config.name, base)
    socket = config.daemon.control_socket
    return replace(
        config,
        instruments=tuple(bake(instrument) for instrument in config.instruments),
        feeds=tuple(_placed(feed, base) for feed in config.feeds),
        journal=_journal(config.journal, folder, base),
        daemon=replace(
            config.daemon,
            control_socket=str(places.place(socket, base) if socket else places.socket_in(folder)),
        ),
    )


def core_settings(config: Config) -> CoreSettings:
    """The part of a config that decides what the core does."""
    return CoreSettings(**{name: getattr(config, name) for name in CoreSettings.__struct_fields__})


def digest(config: CoreSettings) -> str:
    """Of the resolved settings; equal digests mean equal settings."""
    return digest_of_text(msgspec.json.encode(config, order="deterministic"))


def digest_of_text(encoded: bytes) -> str:
    """The same of settings as they were encoded, by this version or by one that knew fewer of them."""
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()


def _journal(journal: JournalPlace, folder: Path, base: Path) -> JournalPlace:
    """The journal's settings with all paths absolute."""
    signing = journal.signing
    if signing is not None:
        signing = replace(signing, key_file=str(places.place(signing.key_file, base)))
    anchors = tuple(_placed_anchor(anchor, base) for anchor in journal.anchors)
    retention = journal.retention
    if retention is not None:
        retention = replace(retention, archive_to=str(places.place(retention.archive_to, base)))
    return replace(journal, folder=str(folder), signing=signing, anchors=anchors, retention=retention)


def _placed_anchor(anchor: AnchorSettings, base: Path) -> AnchorSettings:
    if not isinstance(anchor, FileAnchorSettings):
        return anchor
    return replace(anchor, path=str(places.place(anchor.path, base)))


def _placed(feed: FeedSettings, base: Path) -> FeedSettings:
    """The feed with the paths of its files absolute."""
    if isinstance(feed, SimulatedSettings):
        return feed
    files = tuple(replace(file, path=str(places.place(file.path, base))) for file in feed.files)
    if not isinstance(feed, BarsSettings):
        return replace(feed, files=files)
    funding = tuple(replace(file, path=str(places.place(file.path, base))) for file in feed.funding)
    return replace(feed, files=files, funding=funding)
