"""Reads a Dockerfile and executes its steps without Docker, in a copy-on-write view of this machine.

Needs root, or user namespaces. This machine is the base image, and its Python is the image's `python`: a file that this
machine has and python:3.10-slim lacks goes unnoticed.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Step:
    """One instruction."""

    instruction: str
    argument: str
    stage: int


def read(dockerfile: pathlib.Path) -> list[Step]:
    """Returns the instructions in order, each with the number of its stage (from 0; -1 for ARGs before the first)."""
    text = re.sub(r"\\\n", " ", dockerfile.read_text(encoding="utf-8"))
    steps: list[Step] = []
    stage = -1
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        instruction, _, argument = line.strip().partition(" ")
        stage += instruction == "FROM"
        steps.append(Step(instruction, argument.strip(), stage))
    return steps


class Builder:
    """Builds the stages below a folder.

    Args:
      context: Folder that COPY takes from.
      folder: Gets an upper layer and a mount point a stage.
    """

    def __init__(self, context: pathlib.Path, folder: pathlib.Path):
        self._context = context
        self._folder = folder
        self._names: dict[str, int] = {}
        self._environment: dict[str, str] = {}
        self._directory = "/"
        self._user = "0:0"

    def layer(self, stage: int) -> pathlib.Path:
        """Returns the folder of the files that a stage wrote."""
        return self._folder / f"upper-{stage}"

    def build(self, steps: list[Step], skip: Mapping[str, str]) -> list[str]:
        """Executes the steps and returns the output of each RUN.

        Args:
          steps: Of `read`.
          skip: Prefix of a RUN's command to the command to run instead.
        """
        printed = []
        for step in steps:
            if step.instruction == "FROM":
                self._start(step)
            elif step.instruction == "COPY":
                self._copy(step)
            elif step.instruction == "ENV":
                self._environment |= dict(word.partition("=")[::2] for word in shlex.split(step.argument))
            elif step.instruction == "WORKDIR":
                self._directory = step.argument
                self._inside(step.stage, f"mkdir -p {step.argument}", "0:0", "/")
            elif step.instruction == "USER":
                self._user = step.argument
            elif step.instruction == "RUN":
                stand_in = next((other for start, other in skip.items() if step.argument.startswith(start)), None)
                printed.append(self._inside(step.stage, stand_in or step.argument, self._user, self._directory))
            elif step.instruction not in ("ARG", "ENTRYPOINT"):
                raise ValueError(f"{step.instruction} is not executed here")
        return printed

    def _start(self, step: Step) -> None:
        words = step.argument.split()
        if "AS" in words:
            self._names[words[-1]] = step.stage
        # Docker's default, if the base image sets no PATH.
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self._environment, self._directory, self._user = {"PATH": path}, "/", "0:0"
        for name in ("upper", "work", "mount"):
            (self._folder / f"{name}-{step.stage}").mkdir(parents=True)
        upper, python = self.layer(step.stage), pathlib.Path(os.path.realpath(sys.executable))
        (upper / "usr/local/bin").mkdir(parents=True)
        (upper / "usr/local/bin/python").symlink_to(python)
        (upper / "etc").mkdir()
        for name in ("passwd", "group"):
            (upper / "etc" / name).write_text(_without_people(pathlib.Path("/etc", name).read_text(encoding="utf-8")))
        # The image's user needs access to the interpreter, whose folders may be closed on this machine.
        for folder in reversed(python.parents):
            if not folder.stat().st_mode & 0o001:
                (upper / str(folder).lstrip("/")).mkdir(parents=True, exist_ok=True)
                (upper / str(folder).lstrip("/")).chmod(0o755)

    def _copy(self, step: Step) -> None:
        words = step.argument.split()
        source_root = self._context
        if words[0].startswith("--from="):
            source_root = self.layer(self._names[words.pop(0).removeprefix("--from=")])
        *sources, target = words
        destination = self.layer(step.stage) / os.path.join(self._directory, target).lstrip("/")
        for source in sources:
            found = source_root / source.lstrip("/")
            if found.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(found, destination, symlinks=True, dirs_exist_ok=True, ignore=ignored)
            else:
                into = destination / found.name if target.endswith("/") or len(sources) > 1 else destination
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, into)

    def _inside(self, stage: int, command: str, user: str, directory: str) -> str:
        upper, work, mount = (self._folder / f"{name}-{stage}" for name in ("upper", "work", "mount"))
        words = [f"{name}={shlex.quote(value)}" for name, value in self._environment.items()]
        # The builder decides where packages come from, as Docker's own configuration does.
        kept = (
            "SSL_CERT_FILE",
            "PIP_CERT",
            "REQUESTS_CA_BUNDLE",
            "UV_SYSTEM_CERTS",
            "PIP_INDEX_URL",
            "UV_INDEX_URL",
            "UV_DEFAULT_INDEX",
            "HTTPS_PROXY",
            "HTTP_PROXY",
            "NO_PROXY",
            "https_proxy",
            "http_proxy",
            "no_proxy",
        )
        words += [f"{name}={shlex.quote(os.environ[name])}" for name in kept if name in os.environ]
        inner = f"cd {directory} && exec env -i {' '.join(words)} sh -c {shlex.quote(command)}"
        script = (
            f"mount -t overlay overlay -o lowerdir=/,upperdir={upper},workdir={work} {mount} && "
            f"mount --bind /dev {mount}/dev && mount -t proc proc {mount}/proc && "
            f"exec chroot --userspec={user} {mount} sh -c {shlex.quote(inner)}"
        )
        unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user", "--user"]
        # A bare PATH has no chroot.
        environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"}
        command_line = [*unshare, "sh", "-c", script]
        done = subprocess.run(command_line, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(json.dumps({"step": command, "printed": (done.stdout + done.stderr)[-4000:]}, indent=1))
        return done.stdout + done.stderr


def _without_people(table: str) -> str:
    """Returns the text of passwd or group as in a base image: system accounts only."""
    return "".join(line for line in table.splitlines(keepends=True) if not 1000 <= int(line.split(":")[2]) < 65534)
