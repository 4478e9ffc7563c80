"""What goes wrong with a question to a journal."""


class AuditError(Exception):
    """The question can not be answered as it is put; the message says why and what to ask instead."""
