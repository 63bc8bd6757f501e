"""The versions in memory: new ones are loaded, checked and warmed before they take traffic, and old ones dropped."""

from __future__ import annotations

import concurrent.futures
import contextlib
import ctypes
import dataclasses
import gc
import hashlib
import logging
import os
import pathlib
import threading
import time

from server import questions
from server.attributes import WatchedOverrides
from server.batching import Batcher
from server.metrics import Metrics
from server.model import Answer, LoadedModel, Question
from shortlist.config.serve import LATEST, Serve
from shortlist.errors import BadInputError, ShortlistError
from shortlist.serving import client, versions

_LOGGER = logging.getLogger("shortlist.server")
_SECONDS_PER_DAY = 86_400


@dataclasses.dataclass(frozen=True)
class Active:
    """A version that takes traffic."""

    model: LoadedModel
    batcher: Batcher[Question, Answer]


@dataclasses.dataclass(frozen=True)
class _State:
    """The versions in memory. It is replaced as a whole, so that a reader in another thread sees no mix."""

    active: dict[str, Active]
    newest: str | None


class Rollout:
    """The versions of one serving folder. `pick` is called by the event loop, `refresh` by one thread."""

    def __init__(self, path: pathlib.Path, settings: Serve, metrics: Metrics, threads: int = 1) -> None:
        """Looks at a folder; `start` loads.

        Args:
          path: The folder of all versions, or of one, which then stays the only one.
          settings: The section `serve`.
          metrics: Where loaded and refused versions are counted.
          threads: Threads that call the models.
        """
        self.path = path
        self._settings = settings
        self._metrics = metrics
        attributes = settings.attributes
        self._overrides = None if attributes is None else WatchedOverrides(pathlib.Path(attributes))
        self._executor = concurrent.futures.ThreadPoolExecutor(threads, "model")
        self._fixed = client.version_path(path).name if not versions.versions(path) else None
        self._folder = path.parent if self._fixed else path
        self._state = _State({}, None)
        self._refused: dict[str, str] = {}
        self._reasons: dict[str, str] = {}
        self._warned_of_age: str | None = None
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """Name of the served model: that of its folder."""
        return self._folder.name

    @property
    def newest(self) -> Active | None:
        """The newest version that takes traffic."""
        state = self._state
        return None if state.newest is None else state.active[state.newest]

    @property
    def active(self) -> dict[str, Active]:
        """The versions that take traffic, by number."""
        return self._state.active

    @property
    def refused(self) -> dict[str, str]:
        """The reasons of refused versions that are still there, by number."""
        return dict(self._reasons)

    def version(self, number: str) -> Active | None:
        """Returns a version that takes traffic; None if there is no such one."""
        return self._state.active.get(number)

    def pick(self, sticky: str) -> tuple[Active, str]:
        """Returns the version for a query, and its variant: `latest` or the number in `serve.split`.

        Args:
          sticky: The query's id, so that it keeps its version; else the request's.

        Raises:
          LookupError: No version is loaded.
        """
        state = self._state
        if state.newest is None:
            raise LookupError("no version is loaded")
        active, newest = state.active, state.active[state.newest]
        split = self._settings.split
        if not split:
            return newest, LATEST
        digest = hashlib.blake2b(sticky.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        point = int.from_bytes(digest, "big") % sum(split.values())
        for name, share in split.items():
            if point < share:
                # The newest takes the share of a version that is not there.
                return (newest, LATEST) if name == LATEST or name not in active else (active[name], name)
            point -= share
        return newest, LATEST

    def start(self) -> None:
        """Loads the versions; further ones are looked for in a thread.

        Raises:
          BadInputError: None of them can be served.
        """
        self.refresh()
        if self.newest is None:
            if not self._reasons:
                raise BadInputError.from_parts(self.path, "a folder with pushed versions", "none", "run the pipeline")
            raise BadInputError(next(iter(self._reasons.values())))
        if self._fixed is None or self._overrides is not None:
            self._thread = threading.Thread(target=self._watch, name="versions", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Ends the threads."""
        self._end.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)
        self._executor.shutdown(wait=False)

    def _watch(self) -> None:
        while not self._end.wait(self._settings.poll_seconds):
            try:
                self.refresh()
            except Exception:
                _LOGGER.exception("The look for new versions failed; the next one follows")

    def refresh(self) -> None:
        """Loads what is new, and drops what is no longer wanted."""
        if self._overrides is not None and self._overrides.refresh():
            for active in self._state.active.values():
                active.model.override(self._overrides.table)
        found = [self._fixed] if self._fixed else [str(number) for number in versions.versions(self._folder)]
        self._forget_gone(found)
        newest = self._load_newest(found)
        if newest is None:
            # What is in memory is better than nothing.
            return
        wanted = {newest, *(name for name in self._settings.split if name in found)}
        for number in wanted - {newest}:
            self._load(number)
        before = self._state.active
        kept = {number: active for number, active in before.items() if number in wanted}
        dropped = set(before) - set(kept)
        self._state = _State(kept, newest)
        del before
        for number in dropped:
            self._metrics.version_pushed.remove(number)
            _LOGGER.info("Version %s takes no more requests", number)
        if dropped:
            # A model is full of cycles, and what still answers has its own reference. This stops all threads: measured
            # 0.25 s per model on a busy core.
            gc.collect()
            _trim()
        self._warn_of_age()

    def _forget_gone(self, found: list[str]) -> None:
        for number in set(self._refused) - set(found):
            del self._refused[number]
            del self._reasons[number]

    def _load_newest(self, found: list[str]) -> str | None:
        """Returns the newest version that can be served."""
        for number in reversed(found):
            if self._load(number):
                return number
        return None

    def _load(self, number: str) -> bool:
        """Returns whether a version is in memory, after loading it if necessary."""
        if number in self._state.active:
            return True
        folder = self._folder / number
        state = _state_of(folder)
        if self._refused.get(number) == state:
            return False
        start = time.perf_counter()
        try:
            model = LoadedModel(folder)
            if self._overrides is not None:
                model.override(self._overrides.table)
            questions.check(model, self._settings.batching.max_batch)
        except Exception as error:
            self._refuse(number, state, error)
            return False
        batching = self._settings.batching
        batcher = Batcher(
            model.answer,
            self._executor,
            batching.max_batch,
            batching.max_delay_ms / 1e3,
            self._metrics.batch_sizes.observe,
        )
        self._refused.pop(number, None)
        self._reasons.pop(number, None)
        self._state = _State({**self._state.active, number: Active(model, batcher)}, self._state.newest)
        self._metrics.loaded_versions.inc()
        self._metrics.version_pushed.labels(number).set(model.pushed_at)
        _LOGGER.info("Version %s takes requests, loaded in %.1f s", number, time.perf_counter() - start)
        return True

    def _refuse(self, number: str, state: str, error: Exception) -> None:
        self._refused[number] = state
        self._reasons[number] = str(error)
        self._metrics.refused_versions.inc()
        if isinstance(error, ShortlistError):
            _LOGGER.error("Version %s is refused: %s", number, error)
        else:
            _LOGGER.error("Version %s is refused", number, exc_info=error)

    def _warn_of_age(self) -> None:
        newest, days = self.newest, self._settings.max_age_days
        if newest is None or days is None or self._warned_of_age == newest.model.version:
            return
        age = (time.time() - newest.model.pushed_at) / _SECONDS_PER_DAY
        if age > days:
            self._warned_of_age = newest.model.version
            _LOGGER.warning("Version %s is %.1f days old, more than serve.max_age_days", newest.model.version, age)


def _trim() -> None:
    """Gives freed memory back to the system, if the C library can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _state_of(folder: pathlib.Path) -> str:
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
