"""Draws the pictures of README and docs from the latest run: `python -m docs.make_pictures WORKSPACE`.

Use a run on a quiet machine, because the pictures contain times and latency. rich draws the terminal's picture, and the
Chromium on PATH takes those of the pages.
"""

from __future__ import annotations

import contextlib
import io
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from cli.invocation import Invocation
from cli.output import consoles, results
from shortlist.lineage import page as lineage_page
from shortlist.lineage.serving import serving_state
from shortlist.lineage.store import Store
from shortlist.lineage.trace import trace_pushed
from shortlist.report.write import write_report
from shortlist.serving import versions
from shortlist.summary import Summary, read_summary
from shortlist.workspace import Workspace

IMAGES = pathlib.Path(__file__).parent / "images"
_COLUMNS = 124
_WIDTH = 1200


def main(root: pathlib.Path) -> None:
    """Draws all pictures.

    Args:
      root: The workspace. The picture of the terminal omits the path of its parent folders.
    """
    IMAGES.mkdir(exist_ok=True)
    path = (root / "runs" / "latest").resolve() / "summary.json"
    summary = read_summary(path)
    workspace = Workspace(root.absolute(), summary.pipeline)
    served = versions.served_version(workspace.serving_dir)
    _draw_terminal(summary, path, str(root.absolute().parent.parent), served)
    _take_pages(workspace, summary.run_id)
    take_try_page(workspace.serving_dir)


def _draw_terminal(summary: Summary, path: pathlib.Path, hidden_path: str, served: int | None) -> None:
    printed = io.StringIO()
    console = consoles.console(file=printed, force_terminal=True, color_system="standard", width=_COLUMNS)
    results.print_summary(summary, path, _next_commands(), served, console)
    text = printed.getvalue().replace(f"{hidden_path}/", "")
    picture = Console(record=True, width=_COLUMNS, file=io.StringIO())
    picture.print(Text.from_ansi(f"$ make run\n{text}"))
    svg = picture.export_svg(title="Shortlist on MovieLens 100K")
    # Without a font from the network: the reader's own monospaced font is sufficient.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    (IMAGES / "run.svg").write_text(svg, encoding="utf-8")


def _next_commands() -> list[str]:
    invocation = Invocation(pathlib.Path("configs/movielens_100k.yaml"), found=True)
    return [invocation.command("recommend", "--query", "196"), invocation.command("lineage")]


def _take_pages(workspace: Workspace, run_id: str) -> None:
    from playwright.sync_api import sync_playwright

    store = Store.of(workspace)
    lineage = lineage_page.render(
        workspace.name, trace_pushed(store), serving_state(store, versions.served_version(workspace.serving_dir))
    )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lineage_path = pathlib.Path(folder, "lineage.html")
        # The path of the workspace on this machine is of no use to readers.
        lineage_path.write_text(lineage.replace(str(workspace.root.parent.parent), "..."), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": _WIDTH, "height": 900}, color_scheme="light")
        page.goto(write_report(workspace, run_id).as_uri())
        _take(page, "report", 0, _bottom(page, "#chapter-verdict") + 16)
        figures = "#chapter-variety figure >> nth="
        _take(page, "report-variety", _top(page, "#title-variety") - 12, _bottom(page, f"{figures}1") + 6)
        first = "#chapter-examples .card >> nth=0"
        _take(page, "report-examples", _top(page, "#title-examples") - 12, _bottom(page, first) + 16)
        page.goto(lineage_path.as_uri())
        page.locator("#graph [data-key^=step]", has_text="Trainer").click()
        _take(page, "lineage", 0, _bottom(page, "#graph") + 16)
        browser.close()


def take_try_page(serving_dir: pathlib.Path) -> None:
    """Takes the page of a server with three films in the history.

    Args:
      serving_dir: The versions of a model of MovieLens 100K.
    """
    from playwright.sync_api import sync_playwright

    with _served(serving_dir) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": _WIDTH, "height": 900}, color_scheme="light")
        page.goto(address)
        for title in ("Star Wars", "Empire Strikes", "Return of the Jedi"):
            page.fill("#search", title)
            page.wait_for_selector("#found li")
            with page.expect_response("**/v1/recommend"):
                page.press("#search", "Enter")
        page.wait_for_selector("#answers-status:has-text('after 3 items')")
        page.locator("#search").blur()
        _take(page, "try", 0, _bottom(page, "main") + 16)
        browser.close()


@contextlib.contextmanager
def _served(serving_dir: pathlib.Path) -> Iterator[str]:
    """Yields the address of a server."""
    command = [sys.executable, "-m", "shortlist", "serve", "--model", str(serving_dir), "--port", "0"]
    command += ["--grpc-port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            addresses = (re.search(r"Serving .* at (http://\S+)", line) for line in server.stderr)
            yield next(found[1] for found in addresses if found)
        finally:
            server.terminate()


def _top(page: Any, selector: str) -> float:
    return float(page.locator(selector).first.evaluate("(e) => e.getBoundingClientRect().top + scrollY"))


def _bottom(page: Any, selector: str) -> float:
    return float(page.locator(selector).first.evaluate("(e) => e.getBoundingClientRect().bottom + scrollY"))


def _take(page: Any, name: str, top: float, bottom: float) -> None:
    """Takes the page between two heights as a PNG, with 256 colours to keep the file small."""
    from PIL import Image

    clip = {"x": 0, "y": top, "width": _WIDTH, "height": bottom - top}
    screenshot = Image.open(io.BytesIO(page.screenshot(full_page=True, clip=clip)))
    screenshot.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
