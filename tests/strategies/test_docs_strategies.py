"""The Python blocks of docs/strategies.md run, in order."""

import importlib.util
import re
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "strategies.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"# (\w+\.py)\n")


def test_the_blocks_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) > 5
    for number, block in enumerate(blocks):
        named = FILE_NAME.match(block)
        file = tmp_path / (named[1] if named else f"block_{number}.py")
        file.write_text(block, encoding="utf-8")
        run(f"docs_strategies_{number}", file, monkeypatch)


def run(name, file, monkeypatch):
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
