"""KFP's launcher: runs one container's command and reads what it says of its outputs."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any, Protocol

from pipeline.kubeflow import locations
from pipeline.kubeflow.entrypoint import MOUNT_VARIABLE
from pipeline.kubeflow.package import Document
from shortlist.errors import ExitCode

Json = dict[str, Any]

_ERROR = "Error: "


class ObjectStore(Protocol):
    """What the launcher copies from before a container runs, and to when it is done."""

    def download(self, uri: str, path: str) -> None:
        """Copies all objects below a URI into a folder."""

    def upload(self, path: str, uri: str) -> None:
        """Copies all files of a folder to below a URI."""


@dataclasses.dataclass(frozen=True)
class ContainerResult:
    """How a container ended."""

    exit_code: int
    outputs: dict[str, Json]
    """By output, what the launcher would file: `uri`, `type`, `metadata`. Empty unless the exit code is 0."""

    said: str
    """The last error that it told, or nothing."""


class ContainerProcess:
    """A container's command at work, as a process of its own in a clean environment.

    `python` is this one, and PYTHONPATH stands in for the image that has the package installed.
    """

    def __init__(
        self,
        container: Document,
        executor_input: Json,
        mount: pathlib.Path,
        log: pathlib.Path,
        objects: ObjectStore | None = None,
    ):
        """Brings the inputs and starts the command.

        Args:
          container: Of the deployment spec.
          executor_input: What the driver resolved.
          mount: Folder in place of `/`, below which `/s3`, `/gcs` and `/minio` are.
          log: Its output is appended here when it is done.
          objects: Where artifacts are; without it they stay below `mount`, where the next container finds them.
        """
        self._executor_input, self._mount, self._log, self._objects = executor_input, mount, log, objects
        if objects is not None:
            for uri in _uris(executor_input["inputs"]):
                objects.download(uri, _local(uri, mount))
        for uri in _uris(executor_input["outputs"]):
            # The folder around it, as the launcher does.
            os.makedirs(os.path.dirname(_local(uri, mount)), exist_ok=True)
        words = [*container.get("command", []), *container.get("args", [])]
        self._output_file = pathlib.Path(executor_input["outputs"]["outputFile"])
        self._output_file.parent.mkdir(parents=True, exist_ok=True)
        # Not that of all: two containers at once would print into each other's lines.
        self._own_log = self._output_file.parent / "log"
        self._folder = tempfile.TemporaryDirectory()
        with self._own_log.open("wb") as sink:
            self._process = subprocess.Popen(
                [_filled(word, executor_input) for word in words],
                cwd=self._folder.name,
                env=_environment(container, mount),
                stdout=sink,
                stderr=subprocess.STDOUT,
            )

    def poll(self) -> ContainerResult | None:
        """Returns how it ended, None while it is at work; to be asked no more once it ended."""
        code = self._process.poll()
        if code is None:
            return None
        self._folder.cleanup()
        said = self._own_log.read_bytes()
        with self._log.open("ab") as log:
            log.write(said)
        if code != ExitCode.DONE:
            return ContainerResult(code, {}, _last_error(said))
        if self._objects is not None:
            for uri in _uris(self._executor_input["outputs"]):
                self._objects.upload(_local(uri, self._mount), uri)
        return ContainerResult(code, _merged(self._executor_input, self._output_file), "")

    def kill(self) -> None:
        """Ends it at once."""
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


def _uris(side: Json) -> list[str]:
    return [artifact["uri"] for artifacts in side["artifacts"].values() for artifact in artifacts["artifacts"]]


def _local(uri: str, mount: pathlib.Path) -> str:
    path = locations.local_path(uri, str(mount))
    if path is None:
        raise ValueError(f"expected a URI that the launcher copies, got {uri}")
    return path


def _environment(container: Document, mount: pathlib.Path) -> dict[str, str]:
    package = pathlib.Path(__file__).parents[3]
    return {
        "PATH": f"{os.path.dirname(sys.executable)}:/usr/bin:/bin",
        "PYTHONPATH": str(package),
        "HOME": str(mount),
        "LANG": "C.UTF-8",
        MOUNT_VARIABLE: str(mount),
        **{variable["name"]: variable["value"] for variable in container.get("env", [])},
    }


def _filled(word: str, executor_input: Json) -> str:
    return word.replace("{{$}}", json.dumps(executor_input)) if "{{$}}" in word else word


def _merged(executor_input: Json, output_file: pathlib.Path) -> dict[str, Json]:
    """Returns the provisioned outputs with what the container says of them."""
    said = json.loads(output_file.read_text(encoding="utf-8")) if output_file.exists() else {}
    merged: dict[str, Json] = {}
    for key, artifacts in executor_input["outputs"]["artifacts"].items():
        [artifact] = artifacts["artifacts"]
        [told] = said.get("artifacts", {}).get(key, {}).get("artifacts", [{}])
        merged[key] = {
            **artifact,
            "uri": told.get("uri") or artifact["uri"],
            "metadata": {**artifact.get("metadata", {}), **told.get("metadata", {})},
        }
    return merged


def _last_error(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").splitlines()
    told = [line for line in lines if line.startswith(_ERROR)] or [line for line in lines if line.strip()]
    return told[-1].removeprefix(_ERROR)[:500] if told else ""
