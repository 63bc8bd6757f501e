"""The worker's part of the test job: comparison of its code, packages and files with the submitting process."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import pathlib
import sys
import time

from shortlist import fingerprints

_PACKAGES = ("apache-beam", "tensorflow", "tfx", "tfx-bsl", "tensorflow-transform", "tensorflow-data-validation")


class WorkerMismatchError(Exception):
    """The worker differs from the submitting process; the message is one sentence."""


@dataclasses.dataclass(frozen=True)
class Expected:
    """Expected properties of a worker.

    Attributes:
      code_sha256: SHA-256 of the pipeline's source code.
      versions: Version by package.
      path: A file in the folder of the pipeline's artifacts.
      token: The content of that file.
      from_pool: Whether `shortlist worker` must have started the worker.
    """

    code_sha256: str
    versions: dict[str, str]
    path: str
    token: str
    from_pool: bool


# Long enough for the other workers to take a part of the elements.
_ELEMENT_SECONDS = 0.1
_HARNESS = "shortlist.engines.harness"


def expectation(path: pathlib.Path, token: str, from_pool: bool) -> Expected:
    """Returns the properties of this process."""
    return Expected(code_sha256(), versions(), str(path), token, from_pool)


def compare(expected: Expected) -> None:
    """Raises an error if this worker differs from the submitting process.

    Raises:
      WorkerMismatchError: Names the first difference.
    """
    time.sleep(_ELEMENT_SECONDS)
    # In Beam's own pool, one TaskManager ends the worker of another, and a worker that prints much hangs.
    if expected.from_pool and getattr(sys.modules["__main__"].__spec__, "name", None) != _HARNESS:
        raise WorkerMismatchError("it was not started by `shortlist worker`")
    installed = versions()
    for name, version in expected.versions.items():
        if installed[name] != version:
            raise WorkerMismatchError(f"it has {name} {installed[name]}, the run {version}")
    if code_sha256() != expected.code_sha256:
        raise WorkerMismatchError("its shortlist has another version or was changed")
    try:
        token = pathlib.Path(expected.path).read_text(encoding="utf-8")
    except OSError as error:
        raise WorkerMismatchError(f"it cannot read {expected.path} ({error.strerror})") from None
    if token != expected.token:
        raise WorkerMismatchError(f"it has another file at {expected.path}")


def code_sha256() -> str:
    """Returns the SHA-256 of the source code that a pipeline uses."""
    return fingerprints.code_sha256("pipeline.create_pipeline")


def versions() -> dict[str, str]:
    """Returns the installed version by package; `none` if a package is not installed."""
    installed = {}
    for name in _PACKAGES:
        try:
            installed[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed[name] = "none"
    return installed
