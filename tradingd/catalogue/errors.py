"""What goes wrong with a catalogue; each message is one line: what, where, what to do."""


class CatalogueError(Exception):
    """What was asked makes no sense, or does not fit what is there."""


class DataRefusedError(Exception):
    """The data is not taken as it is: no rows, or rows that can not be read where none may be."""


class DataDamagedError(Exception):
    """A file of the catalogue is not as it was written."""
