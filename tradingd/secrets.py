"""Secrets by name: a config, a journal and a log never hold a value."""

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct


class SecretMissingError(Exception):
    """Nobody provides that secret; the message says where it was looked for."""


class Secret(Struct, frozen=True, forbid_unknown_fields=True):
    """The name of a secret; in a config: `api_key = { secret = "VENUE_API_KEY" }`."""

    secret: Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")]

    def reveal(self) -> str:
        """The value: a file of that name in systemd's $CREDENTIALS_DIRECTORY, else the environment's variable.

        Raises SecretMissingError.
        """
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if folder and (file := Path(folder) / self.secret).is_file():
            return file.read_text(encoding="utf-8").rstrip("\n")
        if value := os.environ.get(self.secret):
            return value
        raise SecretMissingError(f"no secret {self.secret}: set the variable, or LoadCredential={self.secret}:FILE")
