"""Versions that were refused, and when they are tried again."""

from __future__ import annotations

import hashlib
import logging
import os
import pathlib
import time
from collections.abc import Callable, Collection

from server.processes import LoadInterruptedError
from shortlist.errors import BadInputError, ShortlistError

# A version whose process was killed may load once there is memory again. Each try costs seconds of CPU.
_FIRST_DELAY, _MAX_DELAY = 10.0, 600.0
_LOGGER = logging.getLogger("shortlist.server")


class Refusals:
    """Refused versions. One whose files are wrong is tried again when they change, any other after a growing delay."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._states: dict[str, str] = {}
        self._times: dict[str, float] = {}
        self._delays: dict[str, float] = {}
        self.reasons: dict[str, str] = {}
        """The reasons by version."""

    def blocks(self, version: str, state: str) -> bool:
        """Returns whether a version must not be tried now.

        Args:
          version: The version.
          state: What changes when it is worth another try, see `state_of`.
        """
        if self._states.get(version) != state:
            return False
        return version not in self._times or self._clock() < self._times[version]

    def add(self, version: str, state: str, error: Exception) -> None:
        """Refuses a version."""
        self._states[version] = state
        self.reasons[version] = str(error)
        self._times.pop(version, None)
        if not isinstance(error, BadInputError) or isinstance(error, LoadInterruptedError):
            delay = self._delays.get(version, _FIRST_DELAY)
            self._times[version], self._delays[version] = self._clock() + delay, min(2 * delay, _MAX_DELAY)
        if isinstance(error, ShortlistError):
            _LOGGER.error("Version %s is refused: %s", version, error)
        else:
            _LOGGER.error("Version %s is refused", version, exc_info=error)

    def accept(self, version: str) -> None:
        """Forgets the refusal of a version, which takes traffic."""
        for entries in (self._states, self._times, self._delays, self.reasons):
            entries.pop(version, None)

    def keep(self, versions: Collection[str]) -> None:
        """Forgets all others than some versions."""
        for version in set(self._states).difference(versions):
            self.accept(version)


def state_of(folder: pathlib.Path) -> str:
    """Returns what changes when files of a version do; a copy that is under way is read again once it has grown."""
    entries = []
    for directory, _, names in os.walk(folder):
        for name in names:
            try:
                stat = os.stat(os.path.join(directory, name))
            except FileNotFoundError:
                continue
            entries.append((directory, name, stat.st_size, stat.st_mtime_ns))
    return hashlib.sha256(repr(sorted(entries)).encode("utf-8", "surrogateescape")).hexdigest()
