"""Checkpoints of a training, in a folder that outlives the execution which wrote them.

    <root>/<identity>/state-<number>-<best step>.*   all that a training needs to go on
    <root>/<identity>/best-<step>.*                  the weights of its best evaluation

A kill at any moment leaves a checkpoint to go on from: a state is written beside the one before it, its best weights
first, and only then is anything older removed. TensorFlow writes data before index and both under temporary names; what
it left unfinished has no index. What a dying machine left torn is found by reading every tensor against its checksum.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
from collections.abc import Iterable
from typing import NamedTuple

import tensorflow as tf

MAX_UNFINISHED_RUNS = 2
_CHUNK_BYTES = 2**20
_STATE_INDEX = re.compile(r"state-(\d+)-(\d+)\.index")


class SavedState(NamedTuple):
    """One state on disk."""

    number: int
    """Counts up, the newest has the highest."""
    best_step: int
    """The step whose weights were best; 0 before the first evaluation."""

    @property
    def name(self) -> str:
        """The files' name up to the first dot."""
        return f"state-{self.number:06}-{self.best_step:09}"

    @property
    def names(self) -> set[str]:
        """What the state needs, itself and its best weights."""
        return {self.name, _weights_name(self.best_step)} if self.best_step else {self.name}


class Checkpoints:
    """The states of one training, the newest two of them, and the best weights that these know."""

    def __init__(self, folder: str, state: tf.train.Checkpoint, weights: tf.train.Checkpoint) -> None:
        """Takes the folder of one identity; it is made with the first checkpoint."""
        self._folder = folder
        self._state = state
        self._weights = weights
        self._last: SavedState | None = None
        self._next = 1

    def restore(self) -> bool:
        """Restores the newest state that is whole; returns false, and touches nothing, where there is none."""
        found = self._found()
        self._next = found[0].number + 1 if found else 1
        self._last = next((saved for saved in found if all(map(self._is_readable, saved.names))), None)
        if found and found[0] != self._last:
            logging.getLogger(__name__).warning("%s is torn: passed over", self._path(found[0].name))
        if self._last is None:
            return False
        self._state.read(self._path(self._last.name)).assert_existing_objects_matched()
        return True

    def restore_weights(self, step: int) -> None:
        """Restores the weights that `save_weights` wrote at a step."""
        self._weights.read(self._path(_weights_name(step))).assert_existing_objects_matched()

    def save_weights(self, step: int) -> None:
        """Writes the weights; the state that calls them its best follows."""
        self._write(self._weights, _weights_name(step))

    def save_state(self, best_step: int) -> None:
        """Writes the state, then removes all but it, the one before and their best weights."""
        saved = SavedState(self._next, best_step)
        self._write(self._state, saved.name)
        kept = saved.names | (self._last.names if self._last else set())
        self._last, self._next = saved, self._next + 1
        self._remove(entry for entry in _listdir(self._folder) if _owner(entry) not in kept)

    def _found(self) -> list[SavedState]:
        """All states that have an index, newest first."""
        matches = map(_STATE_INDEX.fullmatch, _listdir(self._folder))
        return sorted((SavedState(int(match[1]), int(match[2])) for match in matches if match), reverse=True)

    def _is_readable(self, name: str) -> bool:
        try:
            reader = tf.train.load_checkpoint(self._path(name))
            for key in reader.get_variable_to_shape_map():
                reader.get_tensor(key)
        except (tf.errors.OpError, ValueError, RuntimeError):
            return False
        return True

    def _write(self, checkpoint: tf.train.Checkpoint, name: str) -> None:
        tf.io.gfile.makedirs(self._folder)
        try:
            checkpoint.write(self._path(name))
        except BaseException:
            # Half a checkpoint on a full disk would only keep it full.
            with contextlib.suppress(tf.errors.OpError):
                self._remove(entry for entry in _listdir(self._folder) if _owner(entry) == name)
            raise

    def _remove(self, entries: Iterable[str]) -> None:
        # An index goes before its data: without one, there is nothing that could be taken for a checkpoint.
        for entry in sorted(entries, key=lambda entry: not entry.endswith(".index")):
            _remove(self._path(entry))

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)


def identity(text: str, files: Iterable[str]) -> str:
    """Returns the name of all trainings that must come out the same.

    Args:
      text: What decides besides data: settings and code.
      files: All files that are read, in any order; their bytes count, not where they stand.
    """
    digest = hashlib.sha256(f"{tf.version.VERSION}\n{text}".encode())
    for content in sorted(map(_sha256, files)):
        digest.update(content)
    return digest.hexdigest()[:16]


def prune(root: str, own: str) -> None:
    """Removes what trainings that died have left, all but the `MAX_UNFINISHED_RUNS` latest written; never the identity `own`.

    Called when a training starts. A finished one has removed its own folder, so what stands here was killed or failed,
    and is of use only until its config, data or code change; two are kept for who goes back and forth between configs.
    """
    names = [entry.rstrip("/") for entry in _listdir(root)]
    folders = [os.path.join(root, name) for name in names if name != own]
    for folder in sorted(folders, key=_last_written, reverse=True)[MAX_UNFINISHED_RUNS:]:
        _remove(folder)


def remove(folder: str) -> None:
    """Removes a training's checkpoints, if there are any; a kill half-way leaves torn ones, which are recognised."""
    if tf.io.gfile.exists(folder):
        _remove(folder)


def _weights_name(step: int) -> str:
    return f"best-{step:09}"


def _owner(entry: str) -> str:
    """The name of the checkpoint that a file or TensorFlow's temporary folder belongs to."""
    return entry.partition(".")[0].partition("_temp")[0]


def _listdir(folder: str) -> list[str]:
    return list(tf.io.gfile.listdir(folder)) if tf.io.gfile.isdir(folder) else []


def _last_written(folder: str) -> int:
    paths = [folder, *(os.path.join(folder, entry) for entry in _listdir(folder))]
    return max(int(tf.io.gfile.stat(path).mtime_nsec) for path in paths)


def _remove(path: str) -> None:
    if tf.io.gfile.isdir(path):
        tf.io.gfile.rmtree(path)
    else:
        tf.io.gfile.remove(path)


def _sha256(path: str) -> bytes:
    digest = hashlib.sha256()
    with tf.io.gfile.GFile(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest()
