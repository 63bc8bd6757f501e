"""Relative links of the documentation lead somewhere."""

from __future__ import annotations

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^()\s]+)\)")


def _links(text: str) -> list[str]:
    return [link for link in _LINK.findall(_CODE.sub("`", _FENCED.sub("", text))) if "://" not in link]


def _anchors(page: pathlib.Path) -> set[str]:
    """Returns the ids that GitHub gives to the headings of a page; the number of a repeated heading is left out."""
    headings = re.findall(r"^#+ +(.+?) *$", _FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _dead(page: pathlib.Path) -> list[str]:
    dead = []
    for link in _links(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            dead.append(link)
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_to_files_and_headings(page):
    assert _dead(page) == []


def test_dead_links_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Two words, `code`\n[a](#two-words-code) [b](#two) [c](gone.md) `[d](x)` [e](https://x.y/z)\n")
    assert _dead(page) == ["#two", "gone.md"]
