"""The table `serve.attributes`, read again when it changes, and the versions that can use it."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Mapping, Sequence

from server.attributes import Overrides
from shortlist.errors import BadInputError

_LOGGER = logging.getLogger("shortlist.server")


def newest_that_fits(tables: Sequence[Overrides], kinds: Mapping[str, str]) -> Overrides:
    """Returns the newest table that a version can use.

    Args:
      tables: One or more, the newest first.
      kinds: `Attributes.kinds` of the version's catalogue.

    Raises:
      BadInputError: It can use none. The message is about the newest.
    """
    errors = []
    for table in tables:
        try:
            table.check(kinds)
        except BadInputError as error:
            errors.append(error)
        else:
            return table
    raise errors[0]


class TodaysAttributes:
    """The table `serve.attributes`, and earlier ones that versions in memory still use.

    A table and a version may change the kind of an attribute together. Whichever comes first does not fit the other:
    the table is kept for the version to come, and the version in memory keeps the table before.
    """

    def __init__(self, path: pathlib.Path) -> None:
        """Reads the table.

        Raises:
          BadInputError: It cannot be read.
        """
        self._path = path
        self._state = self._stat()
        self.tables: tuple[Overrides, ...] = (Overrides.read(path),)
        """The newest first."""
        self.num_read = 1
        """How many tables were read."""

    def refresh(self, versions: Mapping[str, Mapping[str, str]]) -> bool:
        """Returns whether the file has changed and was read; a broken one is left for the next time.

        Args:
          versions: `Attributes.kinds` of the catalogues of the versions in memory, by number.
        """
        state = self._stat()
        if state is None or state == self._state:
            return False
        self._state = state
        try:
            table = Overrides.read(self._path)
        except BadInputError as error:
            _LOGGER.error("The attributes stay as they were: %s", error)
            return False
        self.num_read += 1
        used = []
        for number, kinds in versions.items():
            try:
                table.check(kinds)
            except BadInputError as error:
                _LOGGER.error("The attributes of version %s stay as they were: %s", number, error)
                used.append(newest_that_fits(self.tables, kinds))
        # Of equal tables each would be kept, so they are compared as objects.
        self.tables = (table, *(one for one in self.tables if any(one is other for other in used)))
        _LOGGER.info("Attributes of %d candidates were read", len(table.ids))
        return True

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
