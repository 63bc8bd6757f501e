"""The folder of a pushed model: its version, its index, its SavedModel, and errors for a damaged one."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from shortlist.config.paths import is_uri
from shortlist.errors import BadInputError
from shortlist.model_files import INDEX_FILE, MANIFEST_FILE
from shortlist.process import causes, resources
from shortlist.serving import versions
from shortlist.serving.saved_model import ServedSavedModel

_MAX_REASON = 150


def version_path(path: pathlib.Path) -> pathlib.Path:
    """Returns the folder of one served model, without loading it.

    Args:
      path: The folder of one version, or the folder of all versions, whose newest is used.

    Raises:
      BadInputError: There is no pushed model.
    """
    if (path / "saved_model.pb").is_file():
        return path
    version = versions.served_version(path)
    if version is None:
        raise BadInputError(f"{path}: no model was pushed yet; `shortlist run` pushes one, or reports why it did not")
    return path / str(version)


def index_of(path: pathlib.Path) -> dict[str, Any]:
    """Returns `assets.extra/index.json` of a served version.

    Raises:
      BadInputError: The folder has no model that Shortlist wrote, or a damaged one.
    """
    try:
        found = json.loads((path / INDEX_FILE).read_text(encoding="utf-8"))
        if found["kind"]:
            return dict(found)
    except FileNotFoundError:
        raise BadInputError(f"{path}: not a model that Shortlist pushed; it has no {INDEX_FILE}") from None
    except OSError as error:
        raise BadInputError.from_reason(path / INDEX_FILE, "a readable file", error.strerror) from None
    except (ValueError, TypeError, KeyError):
        pass
    raise _damaged(path, f"no kind in {INDEX_FILE}")


def check_k(k: int, index: Mapping[str, Any]) -> None:
    """Refuses a number of candidates that a model does not answer.

    Args:
      k: The number.
      index: The model's `index_of`.

    Raises:
      BadInputError: It is below 1 or above `index.k`.
    """
    if not 1 <= k <= index["k"]:
        raise BadInputError(f"k must be 1 to {index['k']}, which is index.k of the pushed model; got {k}")


def load_served(path: str | os.PathLike[str]) -> ServedSavedModel:
    """Loads and returns a served SavedModel, from a local folder or a URI that TensorFlow opens.

    If the model needs ScaNN's op library, that is loaded first. Otherwise TensorFlow raises "Op type not registered".

    Raises:
      BadInputError: The folder has no model that Shortlist wrote, or a damaged one.
      ResourceError: Memory ran out.
    """
    if is_uri(os.fspath(path)):
        return _load_at_uri(os.fspath(path))
    folder = pathlib.Path(path)
    # Exact search has no custom op, and its servers need not have ScaNN installed.
    if index_of(folder)["kind"] == "scann":
        import scann  # noqa: F401
    with raises_damaged(folder):
        return ServedSavedModel(os.fspath(path))


def _load_at_uri(uri: str) -> ServedSavedModel:
    import tensorflow as tf

    with tf.io.gfile.GFile(os.path.join(uri, INDEX_FILE)) as file:
        index = json.loads(file.read())
    if index["kind"] == "scann":
        import scann  # noqa: F401
    return ServedSavedModel(uri)


def check_files(path: pathlib.Path) -> None:
    """Refuses a version whose files are not those of its manifest.

    Raises:
      BadInputError: They are not.
    """
    # A folder without both is no model of Shortlist.
    if not any((path / name).exists() for name in (INDEX_FILE, MANIFEST_FILE)):
        return
    try:
        damage = versions.find_damage(path)
    except OSError as error:
        raise BadInputError.from_reason(error.filename or path, "a readable file", error.strerror) from None
    if damage is not None:
        raise _damaged(path, damage)


@contextlib.contextmanager
def raises_damaged(path: pathlib.Path) -> Iterator[None]:
    """Raises one sentence for all that TensorFlow raises for a damaged model: many types, from OSError to KeyError."""
    try:
        yield
    except Exception as error:
        shortage = resources.find_shortage(error, path)
        if shortage is not None:
            raise shortage from error
        # The manifest names the file; TensorFlow does not always.
        damage = versions.find_damage(path, with_variables=True)
        reason = causes.first_cause(error)[:_MAX_REASON]
        raise _damaged(path, damage or f"one that TensorFlow cannot load ({reason})") from error


def _damaged(path: pathlib.Path, got: str) -> BadInputError:
    number = path.name
    kept = versions.versions(path.parent) if number.isdecimal() else []
    if not kept:
        return BadInputError.from_parts(path, "a whole model", got, "copy or export the model again")
    remedy = f"`shortlist rollback {number}` restores it from the run that pushed it"
    if int(number) > kept[0]:
        remedy = f"`shortlist rollback` serves the version before it, {remedy.replace('it', 'this one', 1)}"
    return BadInputError.from_parts(path, f"version {number} as it was pushed", got, remedy)
