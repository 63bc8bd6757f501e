"""The versions in memory: new ones are loaded, checked and warmed before they take traffic, and old ones dropped.

Each version has a process of its own. So neither a load nor the end of a version stops a request, its memory is free
afterwards, and a model that crashes is a refused version.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import pathlib
import threading
import time

from server import refusals
from server.batching import Batcher
from server.channel import GoneError
from server.directory import Directory
from server.facts import Facts, Load
from server.known import Histories
from server.metrics import Metrics
from server.processes import Loader, RemoteModel
from server.question import Answer, Question
from server.refusals import Refusals
from server.todays_attributes import TodaysAttributes, newest_that_fits
from shortlist.config.serve import LATEST, Serve
from shortlist.errors import BadInputError
from shortlist.serving import served_model, versions

_LOGGER = logging.getLogger("shortlist.server")
_SECONDS_PER_DAY = 86_400


@dataclasses.dataclass(frozen=True)
class Active:
    """A version that takes traffic."""

    model: RemoteModel
    batcher: Batcher[Question, Answer]

    @property
    def facts(self) -> Facts:
        """What is known of it."""
        return self.model.facts


@dataclasses.dataclass(frozen=True)
class _State:
    """The versions in memory. It is replaced as a whole, so that a reader in another thread sees no mix."""

    active: dict[str, Active]
    newest: str | None


class Rollout:
    """The versions of one serving folder. `pick` is called by the event loop, `refresh` by one thread."""

    def __init__(self, path: pathlib.Path, settings: Serve, metrics: Metrics, loader: Loader | None = None) -> None:
        """Looks at a folder; `start` loads.

        Args:
          path: The folder of all versions, or of one, which then stays the only one.
          settings: The section `serve`.
          metrics: Where loaded and refused versions are counted.
          loader: Starts the processes of the versions; by default one that ends with the rollout.
        """
        self.path = path
        self._settings = settings
        self._metrics = metrics
        attributes = settings.attributes
        self._attributes = None if attributes is None else TodaysAttributes(pathlib.Path(attributes))
        self._fixed = served_model.version_path(path).name if not versions.versions(path) else None
        self._folder = path.parent if self._fixed else path
        self._state = _State({}, None)
        self._known: Histories | None = None
        self._refusals = Refusals()
        self._warned_of_age: str | None = None
        self._has_ended = False
        self._wake = threading.Event()
        self._own_loader = loader is None
        self._loader = loader or Loader()
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
        return dict(self._refusals.reasons)

    @property
    def directory(self) -> Directory:
        """The names of the versions."""
        state = self._state
        return Directory(self.name, state.newest, tuple(sorted(state.active)), self.refused)

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

    def start(self, known: Histories | None = None) -> None:
        """Loads the versions; further ones are looked for in a thread.

        Args:
          known: What the server knows of queries. A version that cannot read it is refused.

        Raises:
          BadInputError: None of them can be served.
        """
        self._known = known
        self.refresh()
        if self.newest is None:
            reasons = self.refused
            if not reasons:
                raise BadInputError.from_parts(self.path, "a folder with pushed versions", "none", "run the pipeline")
            raise BadInputError(next(iter(reasons.values())))
        self._thread = threading.Thread(target=self._watch, name="versions", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread and the processes."""
        self._has_ended = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)
        for active in self._state.active.values():
            active.model.close()
        if self._own_loader:
            self._loader.close()

    def _watch(self) -> None:
        while True:
            self._wake.wait(self._settings.poll_seconds)
            if self._has_ended:
                return
            self._wake.clear()
            try:
                self.refresh()
            except Exception:
                _LOGGER.exception("The look for new versions failed; the next one follows")

    def refresh(self) -> None:
        """Loads what is new, and drops what is no longer wanted."""
        # Before a version that has ended is loaded again: the table that it used is kept for it.
        if self._attributes is not None:
            self._refresh_attributes(self._attributes)
        self._drop_gone()
        found = [self._fixed] if self._fixed else [str(number) for number in versions.versions(self._folder)]
        self._refusals.keep(found)
        newest = self._load_newest(found)
        if newest is None:
            # What is in memory is better than nothing.
            return
        wanted = {newest, *(name for name in self._settings.split if name in found)}
        for number in wanted - {newest}:
            self._load(number)
        before = self._state.active
        kept = {number: active for number, active in before.items() if number in wanted}
        self._state = _State(kept, newest)
        for number in set(before) - set(kept):
            _LOGGER.info("Version %s takes no more requests", number)
            self._drop(number, before[number])
        self._warn_of_age()

    def _drop(self, number: str, active: Active) -> None:
        self._metrics.version_pushed.remove(number)
        active.model.retire()

    def _drop_gone(self) -> None:
        """Forgets versions whose process has ended by itself, so that they are loaded again."""
        state = self._state
        kept = {number: active for number, active in state.active.items() if not active.model.is_gone}
        if len(kept) < len(state.active):
            self._state = _State(kept, state.newest if state.newest in kept else None)
        for number in set(state.active) - set(kept):
            self._drop(number, state.active[number])

    def _refresh_attributes(self, attributes: TodaysAttributes) -> None:
        """Reads the table of attributes if it has changed, and gives it to the versions that can use it."""
        active = self._state.active
        if not attributes.refresh({number: one.facts.own_kinds for number, one in active.items()}):
            return
        for one in active.values():
            table = newest_that_fits(attributes.tables, one.facts.own_kinds)
            if table is not attributes.tables[0]:
                continue
            try:
                one.model.override(table)
            except GoneError:
                # It is loaded again, with the table.
                continue

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
        # With another table of attributes, a version that cannot use the one before may be served.
        state = refusals.state_of(folder) + ("" if self._attributes is None else str(self._attributes.num_read))
        if self._refusals.blocks(number, state):
            return False
        start = time.perf_counter()
        try:
            tables = () if self._attributes is None else self._attributes.tables
            model = self._loader.load(Load(folder, self._settings.batching.max_batch, tables), self._note_end)
            self._check_known(model)
        except Exception as error:
            self._refusals.add(number, state, error)
            self._metrics.refused_versions.inc()
            return False
        batching = self._settings.batching
        batcher = Batcher(
            model.answer,
            batching.max_batch,
            batching.max_delay_ms / 1e3,
            self._metrics.batch_sizes.observe,
        )
        self._refusals.accept(number)
        self._state = _State({**self._state.active, number: Active(model, batcher)}, self._state.newest)
        self._metrics.loaded_versions.inc()
        self._metrics.version_pushed.labels(number).set(model.facts.pushed_at)
        _LOGGER.info("Version %s takes requests, loaded in %.1f s", number, time.perf_counter() - start)
        return True

    def _check_known(self, model: RemoteModel) -> None:
        """Ends a version that cannot read what the server knows of queries.

        Raises:
          BadInputError: It cannot.
        """
        misfits = [] if self._known is None else self._known.misfits(model.facts.features)
        if misfits:
            model.retire()
            raise misfits[0].error

    def _note_end(self) -> None:
        self._metrics.lost_processes.inc()
        self._wake.set()

    def _warn_of_age(self) -> None:
        newest, days = self.newest, self._settings.max_age_days
        if newest is None or days is None or self._warned_of_age == newest.model.version:
            return
        age = (time.time() - newest.facts.pushed_at) / _SECONDS_PER_DAY
        if age > days:
            self._warned_of_age = newest.model.version
            _LOGGER.warning("Version %s is %.1f days old, more than serve.max_age_days", newest.model.version, age)
