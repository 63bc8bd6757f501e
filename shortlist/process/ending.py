"""The end of child processes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from typing import Any


def end_all(processes: Sequence[subprocess.Popen[Any]], seconds: float) -> None:
    """Ends processes, by force those that do not react, and waits for all of them.

    Args:
      processes: The processes; some may have ended.
      seconds: Time in which they may react, in all.
    """
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + seconds
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
