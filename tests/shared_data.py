"""Real data that the project may not ship: a folder beside the project's, or where SHORTLIST_TEST_DATA says."""

from __future__ import annotations

import os
import pathlib

import pytest

_VARIABLE = "SHORTLIST_TEST_DATA"


def shared_data(name: str) -> pathlib.Path:
    """Returns the folder of a data set; skips the test where it is not there."""
    beside = pathlib.Path(__file__).parents[2] / "shared" / "data"
    folder = pathlib.Path(os.environ.get(_VARIABLE) or beside) / name
    if not folder.is_dir():
        pytest.skip(f"needs real data in {folder}, which the project does not ship; {_VARIABLE} names its parent")
    return folder
