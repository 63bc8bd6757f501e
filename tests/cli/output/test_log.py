"""Redirected output of libraries: in the block it goes to the file, and afterwards nothing is left redirected."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import logging, os, pathlib, sys
from cli.output.log import redirect_output

with redirect_output(pathlib.Path(sys.argv[1]), verbose=False) as terminal:
    print("printed")
    os.write(2, b"written by C++\\n")
    logging.getLogger("absl").info("logged")
    terminal.print("shown")
logging.getLogger("absl").info("logged after it")
logging.getLogger("absl").warning("warned after it")
print("printed after it")
"""


def test_output_goes_to_the_file_within_the_block(tmp_path):
    log = tmp_path / "run.log"
    done = subprocess.run([sys.executable, "-c", _SCRIPT, str(log)], capture_output=True, text=True, check=True)
    assert done.stdout == "shown\nprinted after it\n"
    assert done.stderr == "warned after it\n"
    assert sorted(log.read_text().splitlines()) == ["INFO:absl:logged", "printed", "written by C++"]
