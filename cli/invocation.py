"""The config that a user named on the command line: loaded, and repeated in commands that are printed."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shlex
import shutil
import sys
from typing import TYPE_CHECKING

from cli.folders import remember_start
from shortlist.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shortlist.config.config import Config
    from shortlist.workspace import Workspace

CONFIG_VARIABLE = "SHORTLIST_CONFIG"
"""Environment variable with the path of the config."""
CONFIG_NAME = "shortlist.yaml"
"""Name of a config that is found without being named."""
_DATA_VARIABLE = "SHORTLIST_DATA_DIR"
_DEMO = pathlib.Path(__file__).resolve().parents[1] / "configs" / "movielens_100k.yaml"
# Commands that refuse to work without a named config.
_OF_OWN_PIPELINE = frozenset({"ablate", "push", "rollback", "schema", "submit"})
# The command after `make`, and in a program that calls the command line's functions.
_DEFAULT_PROGRAM = ".venv/bin/shortlist"


@dataclasses.dataclass(frozen=True)
class Invocation:
    """The options `--config` and `--set` of a command."""

    config: pathlib.Path
    assignments: tuple[str, ...] = ()
    """The values of `--set`."""
    found: bool = False
    """Whether no `--config` was given, so that the next command finds the same config without one."""
    start: pathlib.Path = dataclasses.field(default_factory=pathlib.Path.cwd)
    """The folder in which the command was started."""

    @classmethod
    def of(cls, config: pathlib.Path | None, assignments: Sequence[str] | None) -> Invocation:
        """Returns the invocation of `run`, or of a command that only reads.

        Without `--config`, the config is SHORTLIST_CONFIG, else `shortlist.yaml` in the current folder or above it,
        else the MovieLens demo.
        """
        return cls(config or _found() or _DEMO, tuple(assignments or ()), found=config is None)

    @classmethod
    def of_own_pipeline(cls, config: pathlib.Path | None, assignments: Sequence[str] | None) -> Invocation:
        """Returns the invocation of a command that changes a workspace; it never means the demo.

        Raises:
          BadInputError: Neither `--config` nor SHORTLIST_CONFIG nor a `shortlist.yaml` names a config.
        """
        path = config or _found()
        if path is None:
            raise BadInputError.from_parts(
                "",
                f"--config FILE, {CONFIG_VARIABLE}, or {CONFIG_NAME} in this folder or above",
                "none of them",
                f"for the demo, give --config {_quoted(_DEMO)}",
            )
        return cls(path, tuple(assignments or ()), found=config is None)

    def load(self, overrides: Mapping[str, object] | None = None) -> Config:
        """Returns the checked config, and enters the folder that its relative paths start from.

        That is the current folder if the file is in it or below it. Otherwise it is the folder of the file, or the one
        above if the file is in a folder `configs`.

        Args:
          overrides: Values by dotted key, for options that stand for config keys.

        Raises:
          ConfigError: The config, or a value of `--set`, is invalid.
        """
        from shortlist.config.load import load_config
        from shortlist.config.overrides import parse_overrides

        loaded = load_config(self._readable(), {**parse_overrides(self.assignments), **(overrides or {})})
        _enter(base_folder(self.start / self.config))
        return loaded

    def _readable(self) -> pathlib.Path:
        # Errors name the path as the user gave it. It is read from there unless `load` has entered another folder.
        return self.config if self.start == pathlib.Path.cwd() else self.start / self.config

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
        # A command that changes a workspace never finds the demo by itself, see `of_own_pipeline`.
        must_name = not self.found or (self.config == _DEMO and arguments[0] in _OF_OWN_PIPELINE)
        named = _quoted(self.config) if self.found else str(self.config)
        words = [*arguments, *(option("--config", named) if must_name else [])]
        # `schema infer --update` takes the file as it is.
        for assignment in self.assignments if arguments[0] != "schema" else ():
            words += option("--set", assignment)
        return f"{_program()} {shlex.join(words)}"


def base_folder(config: pathlib.Path) -> pathlib.Path:
    """Returns the folder that the relative paths of a config start from, see `Invocation.load`."""
    # `Path.absolute` would leave `..` in.
    here, folder = pathlib.Path.cwd(), pathlib.Path(os.path.abspath(config)).parent
    if folder.is_relative_to(here):
        return here
    return folder.parent if folder.name == "configs" else folder


def _enter(folder: pathlib.Path) -> None:
    if folder == pathlib.Path.cwd():
        return
    remember_start()
    data = os.environ.get(_DATA_VARIABLE)
    if not data:
        # Errors then name the folder in full: from the user's folder, `data` would be another one.
        os.environ[_DATA_VARIABLE] = str(folder / "data")
    elif "://" not in data:
        # It was given from the user's folder.
        os.environ[_DATA_VARIABLE] = os.path.abspath(data)
    os.chdir(folder)


def _found() -> pathlib.Path | None:
    """Returns the config of the environment, or of the current folder or one above it; None if there is none."""
    if named := os.environ.get(CONFIG_VARIABLE):
        return pathlib.Path(named)
    here = pathlib.Path.cwd()
    for folder in (here, *here.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder / CONFIG_NAME
    return None


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
        # The same program under the name that the documentation has.
        installed = pathlib.Path(sys.executable).parent / "shortlist"
        if installed.is_file():
            return _quoted(installed)
        return f"{_quoted(pathlib.Path(sys.executable))} {_quoted(started)}"
    return _DEFAULT_PROGRAM


def _quoted(path: pathlib.Path) -> str:
    """Returns a path, relative to the current folder if it is below it."""
    here = pathlib.Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
