"""What can go wrong with a journal; each message is one line that says what, where and what to do."""

import msgspec

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)  # what decoding JSON from a damaged file raises


class JournalError(Exception):
    """Base of all refusals of the journal."""


class JournalForeign(JournalError):
    """The folder holds something that is no journal."""


class JournalTooNew(JournalError):
    """The journal was written in a format that this version does not know."""


class JournalLocked(JournalError):
    """Another process has the journal open."""


class JournalDamaged(JournalError):
    """What the journal holds is not what was acknowledged."""


class JournalArchived(JournalError):
    """Segments that were moved to an archive are not there."""


class JournalFailed(JournalError):
    """A write failed. Leave the process without `close()`: only recovery at the next start knows what was kept."""


class SigningError(JournalError):
    """A key that can not be used for what it was named for."""


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())
