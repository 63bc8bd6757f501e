"""The report of the run that pushed a version, if the version is in a pipeline's workspace."""

from __future__ import annotations

import functools
import pathlib

from shortlist.summary import read_summary

_WORKSPACE_FILE = "workspace.json"
_REPORT_FILE = "report.html"


@functools.lru_cache(maxsize=16)
def report_of(path: pathlib.Path, version: str) -> pathlib.Path | None:
    """Returns the report of the first run that pushed a version; None without a workspace, run or report.

    Args:
      path: The folder of all versions, `WORKSPACE/serving/NAME`, or of one of them.
      version: Number of the version.
    """
    parents = path.absolute().parents
    for root in parents[1:3]:
        if (root / _WORKSPACE_FILE).is_file():
            for summary in sorted(root.glob("runs/*/summary.json")):
                if _pushed(summary) == version and summary.with_name(_REPORT_FILE).is_file():
                    return summary.with_name(_REPORT_FILE)
    return None


def _pushed(path: pathlib.Path) -> str | None:
    try:
        pushed = read_summary(path).pushed
    except (OSError, ValueError):
        # A run that is under way, or one of another version of Shortlist.
        return None
    return None if pushed is None else str(pushed.version)
