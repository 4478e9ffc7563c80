"""The config that a newcomer starts from: the demo, under another name."""

from importlib.resources import files

import msgspec

from tradingd.config.check import check
from tradingd.config.settings import Config

NAME_LINE = 'name = "demo"'
FOLDER_LINE = 'folder = "../journal/demo"'


def is_name(text: str) -> bool:
    """Whether a daemon can be called so."""
    kind = next(field.type for field in msgspec.structs.fields(Config) if field.name == "name")
    return not check(text, kind)


def demo_text(name: str) -> str:
    """The demo's TOML with its journal beside it, in journal/<name>."""
    text = files("tradingd.config").joinpath("demo.toml").read_text(encoding="utf-8")
    return text.replace(NAME_LINE, f'name = "{name}"').replace(FOLDER_LINE, f'folder = "journal/{name}"')
