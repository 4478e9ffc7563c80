"""The config that a newcomer starts from: the demo, under another name."""

from importlib.resources import files

NAME_LINE = 'name = "demo"'
FOLDER_LINE = 'folder = "../journal/demo"'


def demo_text(name: str) -> str:
    """The demo's TOML with its journal beside it, in journal/<name>."""
    text = files("tradingd.config").joinpath("demo.toml").read_text(encoding="utf-8")
    return text.replace(NAME_LINE, f'name = "{name}"').replace(FOLDER_LINE, f'folder = "journal/{name}"')
