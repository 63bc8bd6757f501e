"""Peak memory of this process, as a whole and per part of a run."""

from __future__ import annotations

import pathlib
import re
import resource

_PROCESS = pathlib.Path("/proc/self")
# proc(5): writing 5 to clear_refs resets the high-water mark of resident memory.
_RESET_PEAK = "5"


class Meter:
    """Measures the peak of resident memory between two calls, in MB, if the kernel reports it.

    A process never returns all of its memory. The peak of one part of a run therefore includes memory that earlier
    parts left behind.
    """

    def __init__(self) -> None:
        self._highest = 0.0

    def start(self) -> None:
        """Starts a new measurement."""
        self.peak_mb()
        try:
            (_PROCESS / "clear_refs").write_text(_RESET_PEAK)
        except OSError:
            # Other kernels, and some containers: all peaks are then those of the whole process.
            return

    def peak_mb(self) -> float | None:
        """Returns the peak since `start`; None if the kernel does not report it."""
        try:
            match = re.search(r"VmHWM:\s+(\d+) kB", (_PROCESS / "status").read_text())
        except OSError:
            return None
        if match is None:
            return None
        peak = int(match[1]) / 1024
        self._highest = max(self._highest, peak)
        return round(peak, 1)

    def highest_mb(self) -> float:
        """Returns the peak of the whole process, including the time before each `start`."""
        self.peak_mb()
        # Linux counts ru_maxrss in KiB.
        return round(max(self._highest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), 1)
