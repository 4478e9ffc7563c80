"""A whole config: the typed settings that each package declares, composed."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from tradingd.core.settings import CoreSettings
from tradingd.feeds.settings import FeedSettings
from tradingd.journal.settings import AnchorSettings, JournalSettings, RetentionSettings, SigningSettings


class JournalPlace(JournalSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """folder   of the journal; empty: journal/<name> beside the config's file"""

    folder: str = ""
    signing: SigningSettings | None = None
    retention: RetentionSettings | None = None
    anchors: tuple[AnchorSettings, ...] = ()


class DaemonSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the daemon runs; nothing here changes what is traded.

    control_socket       path of the operator's socket; empty: control.sock in the journal's folder
    inbox_batches_max    batches that wait for the core before a feed has to
    batch_rows_max       ticks that the core takes at once, at most
    snapshot_interval_s  between snapshots of the state
    free_space_min_mb    with less than that on the journal's disk, trading halts (0: never)
    """

    control_socket: str = ""
    inbox_batches_max: Annotated[int, Meta(ge=1, le=10_000)] = 64
    batch_rows_max: Annotated[int, Meta(ge=1, le=10_000_000)] = 65_536
    snapshot_interval_s: Annotated[float, Meta(gt=0)] = 300.0
    free_space_min_mb: Annotated[int, Meta(ge=0)] = 256
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class Config(CoreSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One instance of the daemon. Paths are relative to the config's file."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
    journal: JournalPlace = JournalPlace()
    feeds: Annotated[tuple[FeedSettings, ...], Meta(min_length=1)]
    daemon: DaemonSettings = DaemonSettings()
