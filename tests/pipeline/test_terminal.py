"""The whole output of `shortlist run` on a terminal: no line of a library, no broken word, at 80 and 120 columns."""

from __future__ import annotations

import os
import re
import sys

import pytest

from tests import pseudo_terminal

pytestmark = pytest.mark.e2e

# TFX is imported once: both runs find everything in the cache, which takes seconds.
_PROGRAM = """
import sys
from cli.app import app
from tests import pseudo_terminal
for columns in (80, 120):
    pseudo_terminal.resize(0, columns)
    print(f"=== {columns}", flush=True)
    app(["run", "--config", sys.argv[1]], standalone_mode=False)
"""
# Lines of a cached run, in order; a line in brackets may be absent.
_LINES = (
    r"=== \d+",
    r"(Warning: .*)?",
    r"(Note      .*)?",
    r"Run       \d{8}T\d{6}Z of movielens-100k-smoke; .*",
    r"  cached  \d+ nodes: .*",
    r"(  done    .* s)?",
    r"",
    r"Data      .*",
    r"Split     .*",
    r"Protocol  .*",
    r"(Warning   .*)?",
    r"",
    r"FactorizedTopK on 120 test rows",
    r" +model +with seen.*",
    r"HR@\d+ +0\.\d+.*",
    r"NDCG@10 +0\.\d+.*",
    r"seen items excluded; .*",
    r"",
    r"HR@10 by slice +rows .*",
    r"\w+: [\w ]+ +\d+ .*",
    r"(\d+ smaller slices are in the summary)?",
    r"Variety   .*",
    r"UNCHANGED   version \d+ still served",
    r"  (pass|warn|--) .*",
    r"  HR@10: share of test rows .*",
    r"Index     .*",
    r"(Advice    .*)?",
    r"Path      .*",
    r"Took      \d+ s without loading TFX and the report, peak memory .* GiB",
    r"Report    .*",
    r"Next      .*",
    r" {2,}\S.*",
)


@pytest.fixture(scope="module")
def screens(smoke):
    """Lines of a cached run by the width of the terminal."""
    environment = {"SHORTLIST_DATA_DIR": str(smoke.data_root)}
    latest = os.readlink(smoke.workspace.runs_dir / "latest")
    text = pseudo_terminal.run([sys.executable, "-c", _PROGRAM, str(smoke.config_path)], 80, environment)
    smoke.workspace.point_latest_at(os.path.basename(latest))
    lines = pseudo_terminal.final_lines(text)
    second = lines.index("=== 120")
    return {80: lines[:second], 120: lines[second:]}


@pytest.mark.parametrize("columns", [80, 120])
def test_nothing_but_the_run_is_on_the_screen(screens, columns):
    strange = [line for line in screens[columns] if not any(re.fullmatch(known, line) for known in _LINES)]
    assert strange == []
    text = "\n".join(screens[columns])
    for name in ("Run ", "Data ", "Split ", "Protocol ", "UNCHANGED ", "Took ", "Report ", "Next "):
        assert f"\n{name}" in text


def test_the_same_words_at_both_widths_and_none_is_broken(screens):
    words = [{word for line in lines for word in line.split()} for lines in screens.values()]
    changing = re.compile(r"===|120|80|\\|\d+$|.*\d{8}T\d{6}Z.*|\d+\.\d")
    assert {word for word in words[0] ^ words[1] if not changing.match(word)} == set()
    # Paths and commands of a test's folder are longer than a line, and stay whole.
    long = [line for line in screens[80] if len(line) > 80 and "/" not in line]
    assert long == []


def test_sentences_hang_below_their_label(screens):
    lines = screens[80]
    [start] = [number for number, line in enumerate(lines) if line.startswith("Protocol ")]
    assert re.fullmatch(r" {10}\S.*", lines[start + 1])
