"""What `compile`, `submit` and the rehearsal share."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rich.console import Console

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
      ConfigError: There is none.
    """
    from pipeline.kubeflow import platform

    return platform.section(config)


def check_kfp() -> None:
    """Refuses to go on without kfp.

    Raises:
      ConfigError: It is not installed.
    """
    if importlib.util.find_spec("kfp") is None:
        raise ConfigError.from_parts(
            "",
            "kfp, which compiles for Kubeflow and submits to it",
            "none",
            "install the extra: pip install 'shortlist[kubeflow]'",
        )


def timestamp_unit(config: Config) -> Unit:
    """Returns the unit of the interactions' timestamp, looking at the data only where the config does not say it.

    Raises:
      ConfigError: The config does not say it and the data is not here.
    """
    from shortlist.tables import preflight

    interactions = config.data.interactions
    if interactions.timestamp is None:
        return "order"
    if interactions.timestamp_unit != "auto":
        return interactions.timestamp_unit
    root = data_root(config)
    try:
        return preflight.timestamp_unit(interactions, root)
    except DataError as error:
        raise ConfigError(
            f"data.interactions.timestamp_unit: auto looks at the data, which is not at {root} ({error}); "
            "name the unit, or set SHORTLIST_DATA_DIR"
        ) from None


def data_root(config: Config) -> str:
    """Returns where this machine finds the data: what the pods read if that is a URI, else SHORTLIST_DATA_DIR."""
    from shortlist import datasets

    root = config.kubeflow.data_root if config.kubeflow else None
    return root if root and "://" in root else os.fspath(datasets.default_data_dir().absolute())


def compile_package(config: Config, unit: Unit, comparison: ComparisonUris, console: Console, verbose: bool) -> Package:
    """Returns the checked package of a config.

    Args:
      config: A checked config.
      unit: Of the interactions' timestamp.
      comparison: What the package has places for.
      console: Told that TFX is being loaded.
      verbose: Whether to leave TFX's own log on the terminal.

    Raises:
      ConfigError: Something in the config cannot be carried to a cluster, or its backend would refuse the result.
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
    private = [os.fspath(path) for path in (pathlib.Path.cwd(), pathlib.Path.home(), pathlib.Path(data_root(config)))]
    mounts = [volume.path for volume in kubeflow.volumes]
    check.refuse_problems(package, config.name, mounts, [path for path in private if path != "/"])
    return package


@dataclasses.dataclass(frozen=True)
class CompilationPlan:
    """What is submitted."""

    package: Package
    parameters: dict[str, str]


def plan_submission(
    config: Config,
    given: Mapping[str, str],
    compare: Callable[[Package, Mapping[str, str]], ComparisonUris],
    unpinned: bool,
    console: Console,
    verbose: bool,
) -> CompilationPlan:
    """Looks at the data, compiles, and finds all that the run must be told.

    Args:
      config: A checked config.
      given: Parameters that the user tells.
      compare: Finds what the run is compared with, given the package without that and the other parameters.
      unpinned: Whether the run takes the data as it finds it: its fingerprints are not known yet.
      console: Told what goes on.
      verbose: Whether to leave TFX's own log on the terminal.

    Raises:
      ConfigError: A parameter is missing or unknown, or see `compile_package`.
      DataError: The data is not as the config says.
    """
    from pipeline.kubeflow import parameters, submission

    names: list[str] = list(config.data.tables)
    if unpinned:
        sha256, unit = dict.fromkeys(names, UNPINNED), timestamp_unit(config)
    elif all(parameters.content_sha256(name) in given for name in names):
        sha256, unit = dict.fromkeys(names, ""), timestamp_unit(config)
    else:
        sha256, unit = _looked_at(config, console)
    told = {**submission.run_parameters(config, *_places(config, given), sha256), **given}
    package = compile_package(config, unit, ComparisonUris(), console, verbose)
    comparison = compare(package, told)
    if comparison != ComparisonUris():
        package = compile_package(config, unit, comparison, console, verbose)
    told |= {name: value for name, value in comparison.parameters.items() if name not in given}
    unknown = sorted(set(told) - set(package.parameters))
    if unknown:
        raise ConfigError(f"--param {unknown[0]}: this pipeline is told {', '.join(sorted(package.parameters))}")
    return CompilationPlan(submission.uncached(package) if unpinned else package, told)


def _looked_at(config: Config, console: Console) -> tuple[dict[str, str], Unit]:
    """Returns the tables' fingerprints and the unit of the times; refuses what a run would refuse."""
    from shortlist.tables import content, preflight

    root = data_root(config)
    with tempfile.TemporaryDirectory() as folder:
        # The workspace is the cluster's business.
        report = preflight.check(config.model_copy(update={"workspace": folder}), root)
    for warning in report.warnings:
        console.print(f"[yellow]Warning:[/] {warning}", soft_wrap=True)
    return content.tables_sha256(config.data.tables, root), report.timestamp_unit


def _places(config: Config, given: Mapping[str, str]) -> tuple[str, str]:
    """Returns where the pods find the data and push models to."""
    kubeflow = section(config)
    data = given.get("data_root") or kubeflow.data_root
    serving = given.get("serving_dir") or kubeflow.serving_dir
    if data is None:
        raise ConfigError.from_parts(
            "kubeflow.data_root", "where the pods find the data, a URI or a mounted path", "none"
        )
    if serving is None:
        raise ConfigError.from_parts("kubeflow.serving_dir", "a folder on a mounted volume to push models to", "none")
    return data, serving


def write(package: Package, path: pathlib.Path) -> None:
    """Writes a package in one step.

    Raises:
      ConfigError: The file cannot be written.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_text(package.to_yaml(), encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise ConfigError.from_reason(path, "a file that can be written", error.strerror) from None
