"""Where a config puts things, read without checking the rest: a daemon can be halted whatever became of its config."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from tradingd.api.sockets import SOCKET_NAME
from tradingd.config.problems import ConfigError, Problem

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def read_toml(path: Path) -> dict[str, Any]:
    """Raises ConfigError for a file that can not be read or is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError([Problem("", "no such file; trade config init makes one")], str(path)) from error
    except OSError as error:
        raise ConfigError([Problem("", error.strerror or str(error))], str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([Problem("", f"not TOML: {error}")], str(path)) from error


def place(text: str, base: Path) -> Path:
    """A path of a config: ${NAME} from the environment, ~ as in a shell, relative to `base`. Raises ValueError."""

    def value(match: re.Match[str]) -> str:
        if not os.environ.get(match[1]):
            raise ValueError(f"the environment has no {match[1]}; set it, or write the path itself")
        return os.environ[match[1]]

    return Path(os.path.normpath(base.absolute() / Path(_VARIABLE.sub(value, text)).expanduser()))


def journal_folder(folder: str, name: str, base: Path) -> Path:
    """The journal's folder: as configured, or journal/<name> beside the config's file."""
    return place(folder or f"journal/{name}", base)


def socket_in(journal: Path) -> Path:
    return journal.absolute() / SOCKET_NAME


def socket_of(config: Path) -> Path:
    """The control socket of the daemon that runs with this config. Raises ConfigError."""
    raw = read_toml(config)
    base = config.absolute().parent
    try:
        if chosen := raw.get("daemon", {}).get("control_socket"):
            return place(chosen, base)
        return socket_in(journal_folder(raw.get("journal", {}).get("folder", ""), raw["name"], base))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        problem = Problem(str(config), f"does not say where the daemon is ({error!r}); use --journal FOLDER")
        raise ConfigError([problem]) from error
