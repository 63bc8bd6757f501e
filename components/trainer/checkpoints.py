"""Checkpoints of a training, in a folder that outlives the execution which wrote them.

    <root>/<identity>/state-<number>-<best step>.*   everything that a training needs to resume
    <root>/<identity>/best-<step>.*                  the weights of its best evaluation

A kill at any moment leaves a checkpoint to resume from. The best weights are written first, then the state beside the
previous one, and only then older files are removed. TensorFlow writes the data before the index, both under temporary
names, so an unfinished checkpoint has no index. A machine failure can still damage a file: `restore` reads every tensor
against its checksum and skips damaged states.
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
    """Sequence number; the newest state has the highest."""
    best_step: int
    """The step with the best weights; 0 before the first evaluation."""

    @property
    def name(self) -> str:
        """Name of the state's files up to the first dot."""
        return f"state-{self.number:06}-{self.best_step:09}"

    @property
    def names(self) -> set[str]:
        """Names of the checkpoints that the state needs: itself and its best weights."""
        if not self.best_step:
            return {self.name}
        return {self.name, _weights_name(self.best_step)}


class Checkpoints:
    """The newest two states of one training, and the best weights that they refer to."""

    def __init__(self, folder: str, state: tf.train.Checkpoint, weights: tf.train.Checkpoint) -> None:
        """Takes the folder of one identity, which the first checkpoint creates."""
        self._folder = folder
        self._state = state
        self._weights = weights
        self._last: SavedState | None = None
        self._next = 1

    def restore(self) -> bool:
        """Restores the newest undamaged state; returns False and changes nothing if there is none."""
        states = self._states()
        self._next = max((state.number for state in states), default=0) + 1
        self._last = next((state for state in states if all(map(self._is_readable, state.names))), None)
        if states and states[0] != self._last:
            logging.getLogger(__name__).warning("%s is damaged and was skipped", self._path(states[0].name))
        if self._last is None:
            return False
        self._state.read(self._path(self._last.name)).assert_existing_objects_matched()
        return True

    def restore_weights(self, step: int) -> None:
        """Restores the weights that `save_weights` wrote at `step`."""
        self._weights.read(self._path(_weights_name(step))).assert_existing_objects_matched()

    def save_weights(self, step: int) -> None:
        """Writes the weights; call it before `save_state` with the same step."""
        self._write(self._weights, _weights_name(step))

    def save_state(self, best_step: int) -> None:
        """Writes the state, then removes all but this state, the previous one and their best weights."""
        newest = SavedState(self._next, best_step)
        self._write(self._state, newest.name)
        names = set(newest.names)
        if self._last:
            names |= self._last.names
        self._last, self._next = newest, self._next + 1
        self._remove(entry for entry in _listdir(self._folder) if _owner(entry) not in names)

    def _states(self) -> list[SavedState]:
        """Returns all states that have an index, newest first."""
        matches = map(_STATE_INDEX.fullmatch, _listdir(self._folder))
        return sorted((SavedState(int(match[1]), int(match[2])) for match in matches if match), reverse=True)

    def _is_readable(self, name: str) -> bool:
        try:
            reader = tf.train.load_checkpoint(self._path(name))
            # Reading a tensor compares it with its checksum; the index alone does not reveal damaged data.
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
            # On a full disk, half a checkpoint would keep the disk full.
            with contextlib.suppress(tf.errors.OpError):
                self._remove(entry for entry in _listdir(self._folder) if _owner(entry) == name)
            raise

    def _remove(self, entries: Iterable[str]) -> None:
        # The index is removed first: without it, a kill here leaves nothing that looks like a checkpoint.
        for entry in sorted(entries, key=lambda entry: not entry.endswith(".index")):
            _remove(self._path(entry))

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)


def identity(text: str, files: Iterable[str]) -> str:
    """Returns a name that is equal for trainings with equal results, and for no others.

    Args:
      text: Everything but data that the result depends on: settings and code.
      files: All files that the training reads, in any order; their content counts, not their paths.
    """
    # Another version of TensorFlow may sum in another order, or not read the checkpoint at all.
    digest = hashlib.sha256(f"{tf.version.VERSION}\n{text}".encode())
    for content in sorted(map(_sha256, files)):
        digest.update(content)
    return digest.hexdigest()[:16]


def newest(folder: str) -> str:
    """Returns the name of a training's newest state; "" if there is none."""
    return max((match[0] for match in map(_STATE_INDEX.fullmatch, _listdir(folder)) if match), default="")


def prune(root: str, own: str) -> None:
    """Removes old checkpoints of trainings that were killed or failed; never those of the identity `own`.

    Call it when a training starts. A finished training has removed its own folder, so each folder here belongs to an
    unfinished one, which is useful only until its config, data or code change. The latest `MAX_UNFINISHED_RUNS` stay,
    for people who switch between configs.
    """
    names = [entry.rstrip("/") for entry in _listdir(root)]
    folders = [os.path.join(root, name) for name in names if name != own]
    for folder in sorted(folders, key=_last_written, reverse=True)[MAX_UNFINISHED_RUNS:]:
        _remove(folder)


def remove(folder: str) -> None:
    """Removes a training's checkpoints, if there are any; `restore` recognises what a kill here leaves behind."""
    if tf.io.gfile.exists(folder):
        _remove(folder)


def _weights_name(step: int) -> str:
    return f"best-{step:09}"


def _owner(entry: str) -> str:
    """Returns the name of the checkpoint that a file or TensorFlow's temporary folder belongs to."""
    return entry.partition(".")[0].partition("_temp")[0]


def _listdir(folder: str) -> list[str]:
    if not tf.io.gfile.isdir(folder):
        return []
    return list(tf.io.gfile.listdir(folder))


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
