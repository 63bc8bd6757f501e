"""The list of slow tests in CONTRIBUTING.md is that of the tests marked `slow`."""

from __future__ import annotations

import pathlib
import re

ROOT = pathlib.Path(__file__).parent.parent


def test_contributing_lists_every_file_with_slow_tests():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(tests/[^`]+)`", text, re.MULTILINE)
    marked = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if re.search(r"^(@|pytestmark = .*)pytest\.mark\.slow\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert listed == sorted(marked)
