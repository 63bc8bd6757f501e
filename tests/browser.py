"""Pages in the Chromium on PATH: what it complains of, what axe finds, how it prints."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
every_look = pytest.mark.parametrize(("width", "scheme"), [(width, scheme) for width in WIDTHS for scheme in SCHEMES])


@dataclasses.dataclass(frozen=True)
class Tab:
    """A page that is open, and all that its console said."""

    page: Any
    said: list[str]

    def violations(self) -> list[str]:
        """Returns what axe finds serious or critical, each with the place of the first element."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']}: {one['nodes'][0]['target']} {one['nodes'][0]['failureSummary']}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]

    def overflows(self) -> bool:
        """Returns whether the page itself is wider than the screen."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))


class Browser:
    """A Chromium that is running."""

    def __init__(self, chromium: Any):
        self._chromium = chromium

    @contextlib.contextmanager
    def opened(self, place: pathlib.Path | str, width: int = 1280, scheme: str = "light") -> Iterator[Tab]:
        """Yields a page in a tab of its own: a file without a network, or the address of a server."""
        is_file = isinstance(place, pathlib.Path)
        context = self._chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce", offline=is_file
        )
        page, said = context.new_page(), []
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.goto(place.as_uri() if isinstance(place, pathlib.Path) else place)
        try:
            yield Tab(page, said)
        finally:
            context.close()


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """Yields the Chromium on PATH; skips where there is none."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium on PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            yield Browser(browser)
        finally:
            browser.close()


A4_WIDTH, A4_HEIGHT = 703, 1016
"""A4 in CSS pixels without the margins of the pages."""

_LINES = """(controls) => {
  const hidden = [...document.querySelectorAll(controls)].map((element) => [element, element.style.display]);
  for (const [element] of hidden) element.style.display = "none";
  const text = document.body.innerText;
  for (const [element, display] of hidden) element.style.display = display;
  return text.split(/\\s+/).filter(Boolean);
}"""
_CUT = """[...document.querySelectorAll("body *")].filter((element) => {
  if (element.closest("svg")) return false;
  const box = element.getBoundingClientRect();
  const scrolls = getComputedStyle(element).overflowX !== "visible";
  return (box.width && box.right > innerWidth + 1) || (scrolls && element.scrollWidth > element.clientWidth + 1);
}).map((element) => element.outerHTML.slice(0, 80))"""


def prints_all(tab: Tab, controls: str) -> bytes:
    """Checks that the print of a page on A4 has all words of the screen, none of them cut off, and returns the PDF.

    Args:
      tab: The page.
      controls: CSS selector of what only a screen needs.
    """
    page = tab.page
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    on_screen = collections.Counter(page.evaluate(_LINES, controls))
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = false; })")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": A4_WIDTH, "height": A4_HEIGHT})
    printed = collections.Counter(page.evaluate(_LINES, controls))
    assert on_screen - printed == collections.Counter()
    assert page.evaluate(_CUT) == []
    return bytes(page.pdf(prefer_css_page_size=True))
