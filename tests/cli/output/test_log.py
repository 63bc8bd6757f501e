"""What libraries say goes to a file, while the block lasts and to nobody's terminal after it."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import logging, os, pathlib, sys
from cli.output.log import everything_else_to

with everything_else_to(pathlib.Path(sys.argv[1]), verbose=False) as terminal:
    print("printed")
    os.write(2, b"written by C++\\n")
    logging.getLogger("absl").info("logged")
    terminal.print("shown")
logging.getLogger("absl").info("logged after it")
logging.getLogger("absl").warning("warned after it")
print("printed after it")
"""


def test_everything_else_goes_to_the_file(tmp_path):
    log = tmp_path / "run.log"
    done = subprocess.run([sys.executable, "-c", _SCRIPT, str(log)], capture_output=True, text=True, check=True)
    assert done.stdout == "shown\nprinted after it\n"
    assert done.stderr == "warned after it\n"
    assert sorted(log.read_text().splitlines()) == ["INFO:absl:logged", "printed", "written by C++"]
