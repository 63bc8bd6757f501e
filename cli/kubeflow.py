"""Functions shared by `compile`, `submit` and the local KFP run."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rich.console import Console

from cli.output import consoles
from pipeline.kubeflow.parameters import ComparisonUris
from shortlist.errors import ConfigError, DataError
from shortlist.fingerprints import UNPINNED

if TYPE_CHECKING:
    from pipeline.kubeflow.package import Package
    from shortlist.config.config import Config
    from shortlist.config.kubeflow import Kubeflow
    from shortlist.tables.spec import Unit


def section(config: Config) -> Kubeflow:
    """Returns the config's section `kubeflow`.

    Raises:
      ConfigError: The config has no such section.
    """
    from pipeline.kubeflow import platform

    return platform.section(config)


def check_kfp() -> None:
    """Raises an error if kfp is not installed.

    Raises:
      ConfigError: kfp is not installed.
    """
    if importlib.util.find_spec("kfp") is None:
        raise ConfigError.from_parts(
            "",
            "kfp, which compiles for Kubeflow and submits to it",
            "none",
            "install the extra: pip install 'shortlist[kubeflow]'",
        )


def timestamp_unit(config: Config) -> Unit:
    """Returns the unit of the interactions' timestamp; reads the data only if the config does not name the unit.

    Raises:
      ConfigError: The config does not name the unit, and the data is not on this machine.
    """
    from shortlist.tables import input_table

    interactions = config.data.interactions
    if interactions.timestamp is None:
        return "order"
    if interactions.timestamp_format is not None:
        return "iso8601"
    if interactions.timestamp_unit != "auto" and interactions.timestamp_unit != "row":
        return interactions.timestamp_unit
    root = data_root(config)
    try:
        return input_table.timestamp_unit(interactions, root)
    except DataError as error:
        raise ConfigError(
            f"data.interactions.timestamp_unit: auto needs the data, which is not at {root} ({error}); "
            "name the unit, or set SHORTLIST_DATA_DIR"
        ) from None


def variables(config: Config) -> list[str]:
    """Returns the names of the environment variables that a config sets in tasks, sorted."""
    if config.kubeflow is None:
        return []
    return sorted({name for task in (config.kubeflow.defaults, *config.kubeflow.tasks.values()) for name in task.env})


def data_root(config: Config) -> str:
    """Returns the data root on this machine: the pods' own root if that is a URI, else SHORTLIST_DATA_DIR."""
    from shortlist import datasets

    root = config.kubeflow.data_root if config.kubeflow else None
    if root and "://" in root:
        return root
    return os.fspath(datasets.default_data_dir().absolute())


def compile_package(config: Config, unit: Unit, comparison: ComparisonUris, console: Console, verbose: bool) -> Package:
    """Returns the checked package of a config.

    Args:
      config: A checked config.
      unit: Unit of the interactions' timestamp.
      comparison: Earlier artifacts to compare with, for which the package gets parameters.
      console: Console for the status line while TFX loads.
      verbose: Whether to leave TFX's own log on the terminal.

    Raises:
      ConfigError: A part of the config does not work on a cluster, or the backend would reject the package.
    """
    from cli.output import log

    kubeflow = section(config)
    check_kfp()
    with (
        tempfile.TemporaryDirectory() as folder,
        log.redirect_output(pathlib.Path(folder) / "compile.log", verbose) as terminal,
    ):
        with (console if console.stderr else terminal).status(log.LOADING_TFX):
            from pipeline.kubeflow import check, compiler
        package = compiler.compile_pipeline(config, unit, comparison)
    # Paths of this machine do not exist in the pods, and must not be published with the package.
    private = [os.fspath(path) for path in (pathlib.Path.cwd(), pathlib.Path.home(), pathlib.Path(data_root(config)))]
    mounts = [volume.path for volume in kubeflow.volumes]
    check.refuse_problems(package, config.name, mounts, [path for path in private if path != "/"])
    return package


@dataclasses.dataclass(frozen=True)
class CompilationPlan:
    """A package with the values of its parameters, ready for submission."""

    package: Package
    parameters: dict[str, str]


def plan_submission(
    config: Config,
    overrides: Mapping[str, str],
    compare: Callable[[Package, Mapping[str, str]], ComparisonUris],
    unpinned: bool,
    console: Console,
    verbose: bool,
) -> CompilationPlan:
    """Reads the data, compiles the pipeline, and determines the parameters of a run.

    Args:
      config: A checked config.
      overrides: Parameters set by the user.
      compare: Finds the earlier artifacts to compare with, from the package without a comparison and its parameters.
      unpinned: Whether the run reads the data as it is at that time, so that its fingerprints are unknown now.
      console: Console for status lines and warnings.
      verbose: Whether to leave TFX's own log on the terminal.

    Raises:
      ConfigError: A parameter is missing or unknown, or see `compile_package`.
      DataError: The data does not fit the config.
    """
    from pipeline.kubeflow import parameters, submission

    names: list[str] = list(config.data.tables)
    if unpinned:
        sha256, unit = dict.fromkeys(names, UNPINNED), timestamp_unit(config)
    elif all(parameters.content_sha256(name) in overrides for name in names):
        sha256, unit = dict.fromkeys(names, ""), timestamp_unit(config)
    else:
        sha256, unit = _check_data(config, console)
    values = {**submission.run_parameters(config, *_folders(config, overrides), sha256), **overrides}
    # Compiled twice: `compare` needs a package to recognise an earlier run that did the same work, and only a package
    # that is compiled with its result has the parameters of the comparison.
    package = compile_package(config, unit, ComparisonUris(), console, verbose)
    comparison = compare(package, values)
    if comparison != ComparisonUris():
        package = compile_package(config, unit, comparison, console, verbose)
    values |= {name: value for name, value in comparison.parameters.items() if name not in overrides}
    unknown = sorted(set(values) - set(package.parameters))
    if unknown:
        known = ", ".join(sorted(package.parameters))
        raise ConfigError(f"--param {unknown[0]}: this pipeline has the parameters {known}")
    if unpinned:
        package = submission.uncached(package)
    return CompilationPlan(package, values)


def _check_data(config: Config, console: Console) -> tuple[dict[str, str], Unit]:
    """Returns the tables' fingerprints and the unit of the timestamps; raises an error where a run would."""
    from shortlist.tables import content, preflight

    root = data_root(config)
    with tempfile.TemporaryDirectory() as folder:
        # Another workspace, since the config's own is on the cluster and cannot be checked here.
        report = preflight.check(config.model_copy(update={"workspace": folder}), root)
    for warning in report.warnings:
        consoles.warn(console, warning)
    return content.tables_sha256(config.data.tables, root), report.timestamp_unit


def _folders(config: Config, overrides: Mapping[str, str]) -> tuple[str, str]:
    """Returns the pods' folders of the data and of pushed models."""
    kubeflow = section(config)
    data = overrides.get("data_root") or kubeflow.data_root
    serving = overrides.get("serving_dir") or kubeflow.serving_dir
    if data is None:
        raise ConfigError.from_parts(
            "kubeflow.data_root", "the pods' folder of the data, a URI or a mounted path", "none"
        )
    if serving is None:
        raise ConfigError.from_parts("kubeflow.serving_dir", "a folder on a mounted volume to push models to", "none")
    return data, serving


def write(package: Package, path: pathlib.Path) -> None:
    """Writes a package atomically.

    Raises:
      ConfigError: The file cannot be written.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_text(package.to_yaml(), encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise ConfigError.from_reason(path, "a file that can be written", error.strerror) from None
