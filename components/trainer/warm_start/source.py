"""Files beside a model from which a later training starts.

    <model>/Format-WarmStart/manifest.json    names of the weights and vocabularies, and the span of the train targets
    <model>/Format-WarmStart/<n>.tokens       the tokens of vocabulary n, one after the other
    <model>/Format-WarmStart/<n>.lengths      the number of bytes of each token, int32
    <model>/Format-WarmStart/train_rows       sorted fingerprints of the rows behind the weights, int64

Numbers are little-endian. The weights themselves are those of the portable towers beside them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from components.trainer import checkpoints, portable
from shortlist.model_files import SAVED_MODEL_FOLDER, TOWERS_DIR, TRAINED_FILE, WARM_START_DIR

FORMAT = 1
_MANIFEST, _TRAIN_ROWS = "manifest.json", "train_rows"
_LENGTH, _ROW = np.dtype("<i4"), np.dtype("<i8")


class Source(NamedTuple):
    """An earlier model, read from its files."""

    trained: Mapping[str, Any]
    """Its `shortlist.json`."""
    weights: Mapping[str, np.ndarray]
    """By name."""
    vocabularies: Mapping[str, Sequence[bytes]]
    span: tuple[int, int]
    """First and last time of its train targets."""
    train_rows: np.ndarray
    """Sorted fingerprints of the rows behind its weights: its own train rows, and those of its own source."""


def write(
    model_uri: str,
    names: Sequence[str],
    vocabularies: Mapping[str, Sequence[bytes]],
    span: tuple[int, int],
    train_rows: np.ndarray,
) -> None:
    """Writes the files.

    Args:
      model_uri: Folder of the model artifact.
      names: Names of the weights, in the order of `portable.tower_weights`.
      vocabularies: The tokens of each vocabulary.
      span: First and last time of the train targets.
      train_rows: Sorted fingerprints of the rows behind the weights.
    """
    folder = os.path.join(model_uri, WARM_START_DIR)
    tf.io.gfile.makedirs(folder)
    # Keys have the names of features, which may be no names of files.
    ordered = sorted(vocabularies)
    for number, key in enumerate(ordered):
        tokens = vocabularies[key]
        _write(os.path.join(folder, f"{number}.tokens"), b"".join(tokens))
        _write(os.path.join(folder, f"{number}.lengths"), np.array([*map(len, tokens)], _LENGTH).tobytes())
    _write(os.path.join(folder, _TRAIN_ROWS), train_rows.astype(_ROW).tobytes())
    manifest = {"format": FORMAT, "weights": list(names), "vocabularies": ordered, "span": list(span)}
    _write(os.path.join(folder, _MANIFEST), json.dumps(manifest).encode())


def unreadable_reason(model_uri: str) -> str | None:
    """Returns the reason why a training cannot start from a model; None if it can.

    The files can be missing because an artifact was deleted, or because an older version of Shortlist saved the model.
    """
    if not tf.io.gfile.exists(os.path.join(model_uri, SAVED_MODEL_FOLDER, TRAINED_FILE)):
        return f"its files are missing from {model_uri}"
    path = os.path.join(model_uri, WARM_START_DIR, _MANIFEST)
    if not tf.io.gfile.exists(path) or json.loads(_read(path))["format"] != FORMAT:
        return "another version of Shortlist saved it without what a warm start needs"
    return None


def read(model_uri: str) -> Source:
    """Returns a model for which `unreadable_reason` is None."""
    folder = os.path.join(model_uri, WARM_START_DIR)
    manifest = json.loads(_read(os.path.join(folder, _MANIFEST)))
    vocabularies = {
        key: _split(
            _read(os.path.join(folder, f"{number}.tokens")),
            np.frombuffer(_read(os.path.join(folder, f"{number}.lengths")), _LENGTH),
        )
        for number, key in enumerate(manifest["vocabularies"])
    }
    weights = portable.read_weights(os.path.join(model_uri, TOWERS_DIR))
    first, last = manifest["span"]
    return Source(
        json.loads(_read(os.path.join(model_uri, SAVED_MODEL_FOLDER, TRAINED_FILE))),
        dict(zip(manifest["weights"], weights, strict=True)),
        vocabularies,
        (first, last),
        np.frombuffer(_read(os.path.join(folder, _TRAIN_ROWS)), _ROW),
    )


def identity(model_uri: str) -> str:
    """Returns a name that is equal for models from which trainings start alike."""
    folders = [os.path.join(model_uri, name) for name in (WARM_START_DIR, os.path.join(TOWERS_DIR, "variables"))]
    files = [os.path.join(folder, name) for folder in folders for name in tf.io.gfile.listdir(folder)]
    return checkpoints.identity("", files)


def _split(joined: bytes, lengths: np.ndarray) -> list[bytes]:
    ends = np.cumsum(lengths, dtype=np.int64)
    return [joined[end - length : end] for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)]


def _read(path: str) -> bytes:
    with tf.io.gfile.GFile(path, "rb") as file:
        return bytes(file.read())


def _write(path: str, content: bytes) -> None:
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content)
