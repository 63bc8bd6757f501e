"""KFP's launcher: runs one container's command and reads its metadata of the outputs."""

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
    """Object store that the launcher copies inputs from and outputs to."""

    def download(self, uri: str, path: str) -> None:
        """Copies all objects below a URI to a local folder."""

    def upload(self, path: str, uri: str) -> None:
        """Copies all files of a local folder to below a URI."""


@dataclasses.dataclass(frozen=True)
class ContainerResult:
    """Result of a container."""

    exit_code: int
    outputs: dict[str, Json]
    """Output to its artifact: `uri`, `type`, `metadata`. Empty if the container failed."""

    error: str
    """Last error message in the container's log; empty if the container succeeded."""


class ContainerProcess:
    """A container's command, running as a process in a clean environment.

    `python` is this interpreter, and PYTHONPATH replaces the image's installed package.
    """

    def __init__(
        self,
        container: Document,
        executor_input: Json,
        mount: pathlib.Path,
        log: pathlib.Path,
        objects: ObjectStore | None = None,
    ):
        """Downloads the inputs and starts the command.

        Args:
          container: The container of the deployment spec.
          executor_input: The driver's result: inputs and outputs.
          mount: Folder used instead of `/` as the parent of `/s3`, `/gcs` and `/minio`.
          log: File that the process's output is appended to after its end.
          objects: Object store of the artifacts. Without it they stay below `mount`, which all containers share.
        """
        self._executor_input, self._mount, self._log, self._objects = executor_input, mount, log, objects
        if objects is not None:
            for uri in _uris(executor_input["inputs"]):
                objects.download(uri, _local(uri, mount))
        for uri in _uris(executor_input["outputs"]):
            # KFP's launcher makes the parent folder only.
            os.makedirs(os.path.dirname(_local(uri, mount)), exist_ok=True)
        words = [*container.get("command", []), *container.get("args", [])]
        self._output_file = pathlib.Path(executor_input["outputs"]["outputFile"])
        self._output_file.parent.mkdir(parents=True, exist_ok=True)
        # A log per container: two that run at once would mix their lines in the common log.
        self._own_log = self._output_file.parent / "log"
        self._folder = tempfile.TemporaryDirectory()
        with self._own_log.open("wb") as sink:
            self._process = subprocess.Popen(
                [word.replace("{{$}}", json.dumps(executor_input)) for word in words],
                cwd=self._folder.name,
                env=_environment(container, mount),
                stdout=sink,
                stderr=subprocess.STDOUT,
            )

    def poll(self) -> ContainerResult | None:
        """Returns the result, None while the process runs. Must not be called again after a result."""
        code = self._process.poll()
        if code is None:
            return None
        self._folder.cleanup()
        printed = self._own_log.read_bytes()
        with self._log.open("ab") as log:
            log.write(printed)
        if code != ExitCode.DONE:
            return ContainerResult(code, {}, _last_error(printed))
        if self._objects is not None:
            for uri in _uris(self._executor_input["outputs"]):
                self._objects.upload(_local(uri, self._mount), uri)
        return ContainerResult(code, _merge_outputs(self._executor_input, self._output_file), "")

    def kill(self) -> None:
        """Kills the process."""
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


def _merge_outputs(executor_input: Json, output_file: pathlib.Path) -> dict[str, Json]:
    """Returns the provisioned outputs, updated by the metadata that the container wrote."""
    written = {}
    if output_file.exists():
        written = json.loads(output_file.read_text(encoding="utf-8")).get("artifacts", {})
    merged: dict[str, Json] = {}
    for key, artifacts in executor_input["outputs"]["artifacts"].items():
        [artifact] = artifacts["artifacts"]
        [update] = written.get(key, {}).get("artifacts", [{}])
        merged[key] = {
            **artifact,
            "uri": update.get("uri") or artifact["uri"],
            "metadata": {**artifact.get("metadata", {}), **update.get("metadata", {})},
        }
    return merged


def _last_error(printed: bytes) -> str:
    lines = [line for line in printed.decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(_ERROR)]
    # A task prints a refusal as "Error: ...". Any other failure ends with a traceback, whose last line has the message.
    for line in (errors or lines)[-1:]:
        return line.removeprefix(_ERROR)[:500]
    return ""
