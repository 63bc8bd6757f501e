"""The config that a user named on the command line: loaded, and repeated in commands that are printed."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shlex
import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shortlist.config.config import Config
    from shortlist.workspace import Workspace

# The command after `make`, and in a program that calls the command line's functions.
_DEFAULT_PROGRAM = ".venv/bin/shortlist"


@dataclasses.dataclass(frozen=True)
class Invocation:
    """The options `--config` and `--set` of a command."""

    config: pathlib.Path
    assignments: tuple[str, ...] = ()
    """The values of `--set`."""

    @classmethod
    def of(cls, config: pathlib.Path, assignments: Sequence[str] | None) -> Invocation:
        """Returns the invocation with these values of the options."""
        return cls(config, tuple(assignments or ()))

    def load(self, overrides: Mapping[str, object] | None = None) -> Config:
        """Returns the checked config.

        Args:
          overrides: Values by dotted key, for options that stand for config keys.

        Raises:
          ConfigError: The config, or a value of `--set`, is invalid.
        """
        from shortlist.config.load import load_config
        from shortlist.config.overrides import parse_overrides

        return load_config(self.config, {**parse_overrides(self.assignments), **(overrides or {})})

    def workspace(self) -> Workspace:
        """Returns the workspace of the config.

        Raises:
          ConfigError: See `load`.
        """
        from shortlist.workspace import Workspace

        return Workspace.of(self.load())

    def command(self, *arguments: str) -> str:
        """Returns a command line for the same config, quoted for a shell.

        Args:
          *arguments: The command's name and its other arguments.
        """
        words = [*arguments, *option("--config", str(self.config))]
        for assignment in self.assignments:
            words += option("--set", assignment)
        return f"{_program()} {shlex.join(words)}"


def option(name: str, value: str) -> list[str]:
    """Returns the words of an option; a value that begins with a dash would otherwise be an option itself."""
    return [f"{name}={value}"] if value.startswith("-") else [name, value]


def _program() -> str:
    """Returns how this process was started, quoted for a shell in the same folder."""
    started = pathlib.Path(sys.argv[0])
    if started.name == "shortlist":
        found = shutil.which("shortlist")
        if found is not None and os.path.abspath(found) == os.path.abspath(started):
            return "shortlist"
        return _quoted(started)
    if started.name == "__main__.py" and started.parent.name == "shortlist":
        return f"{_quoted(pathlib.Path(sys.executable))} -m shortlist"
    if started.name == "pipeline_runner.py":
        return f"{_quoted(pathlib.Path(sys.executable))} {_quoted(started)}"
    return _DEFAULT_PROGRAM


def _quoted(path: pathlib.Path) -> str:
    """Returns a path, relative to the current folder if it is below it."""
    here = pathlib.Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
