"""Settings of the journal's writer, of who signs its heads, and of where these are kept."""

from typing import Annotated

from msgspec import Meta, Struct


class JournalSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """roll_wal_mb           a segment is rolled over and sealed when its log has this size
    roll_rows             or it has so many rows
    roll_daily            or a commit is the first of a new UTC day
    memory_mb, threads    what DuckDB may use; it keeps in memory what the log holds, and too little fails commits
    """

    roll_wal_mb: Annotated[int, Meta(ge=1, le=4096)] = 256
    roll_rows: Annotated[int, Meta(ge=1)] = 100_000_000
    roll_daily: bool = True
    memory_mb: Annotated[int, Meta(ge=128)] = 1024
    threads: Annotated[int, Meta(ge=1, le=64)] = 1


class RetentionSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What becomes of old segments, at each start and every hour. Nothing is removed but what was archived before.

    archive_after_days   a sealed segment goes when its newest commit is so old; the newest segment never does
    archive_to           the folder that it goes to, of this journal alone
    compact_to_mb        sealed segments that stay below this size together become one first (0: none do)
    """

    archive_after_days: Annotated[float, Meta(gt=0)]
    archive_to: Annotated[str, Meta(min_length=1)]
    compact_to_mb: Annotated[int, Meta(ge=0)] = 0


class SigningSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Heads are signed at the start of a run, when a segment ends, at a clean stop, and in between.

    key_file        a private key that `trade journal keygen` made; its owner's alone
    every_commits   a head is signed at least so often while commits are made
    """

    key_file: str
    every_commits: Annotated[int, Meta(ge=1, le=10_000_000)] = 1000


class CommonAnchorSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where signed heads are kept out of reach of whoever can write the journal; needs `journal.signing`.

    timeout_s   an attempt that takes longer has failed; a clean stop waits for it too
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+$")]
    timeout_s: Annotated[float, Meta(gt=0, le=600)] = 5.0


class FileAnchorSettings(CommonAnchorSettings, frozen=True, tag_field="kind", tag="file", kw_only=True):
    """Appends each line to a file, durably; its folder has to be there."""

    path: str


class CommandAnchorSettings(CommonAnchorSettings, frozen=True, tag_field="kind", tag="command", kw_only=True):
    """Runs a program (no shell) with the line on its standard input; 0 means that it has it."""

    argv: Annotated[tuple[str, ...], Meta(min_length=1)]


class HttpAnchorSettings(CommonAnchorSettings, frozen=True, tag_field="kind", tag="http", kw_only=True):
    """POSTs the line as application/json; a status of 2xx means that it has it. Redirects are not followed."""

    url: Annotated[str, Meta(pattern=r"^https?://[^/\s]+")]


AnchorSettings = FileAnchorSettings | CommandAnchorSettings | HttpAnchorSettings
