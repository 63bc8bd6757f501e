"""Peak memory of this process, as a whole or since it was last asked."""

from __future__ import annotations

import pathlib
import re
import resource

_PROCESS = pathlib.Path("/proc/self")
# Linux: the high-water mark of resident memory starts anew.
_RESET_PEAK = "5"


class Meter:
    """Tells the peak of resident memory between two calls, in MB, where the kernel lets us ask.

    A process never gives all of its memory back: the peak of one part of a run is what the parts before it left behind
    and what it took itself.
    """

    def __init__(self) -> None:
        self._highest = 0.0

    def start(self) -> None:
        """Forgets the peak so far."""
        self.peak_mb()
        try:
            (_PROCESS / "clear_refs").write_text(_RESET_PEAK)
        except OSError:
            return

    def peak_mb(self) -> float | None:
        """Returns the peak since `start`; None where the kernel does not tell."""
        try:
            found = re.search(r"VmHWM:\s+(\d+) kB", (_PROCESS / "status").read_text())
        except OSError:
            return None
        if found is None:
            return None
        peak = int(found[1]) / 1024
        self._highest = max(self._highest, peak)
        return round(peak, 1)

    def highest_mb(self) -> float:
        """Returns the peak of the whole process, those before each `start` too."""
        self.peak_mb()
        # Linux counts in KiB.
        return round(max(self._highest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), 1)
