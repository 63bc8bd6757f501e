"""The package is found from any folder."""

from __future__ import annotations

import os
import subprocess
import sys


def test_a_folder_of_the_same_name_does_not_hide_the_package(tmp_path):
    """The folder above a clone has a folder `shortlist`, which Python would take for a namespace package."""
    (tmp_path / "shortlist").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(
        [sys.executable, "-c", "import shortlist; print(shortlist.load.__name__)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.stdout, found.stderr) == ("load\n", "")
