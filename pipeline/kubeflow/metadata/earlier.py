"""Lookup of the earlier artifacts to compare a run with. It happens at submission, since KFP has no resolvers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.kubeflow import parameters
from pipeline.kubeflow.metadata.store import ClusterRun
from pipeline.kubeflow.package import Document, Package
from pipeline.kubeflow.parameters import ComparisonUris
from shortlist.records import nodes
from shortlist.records.artifacts import Blessing


def comparison_uris(
    runs: Iterable[ClusterRun],
    package: Package,
    run_parameters: Mapping[str, str],
    tables: Iterable[str],
    has_warm_start: bool,
) -> ComparisonUris:
    """Returns the URIs of the latest blessed model, and of statistics and model of the last blessed run on other data.

    If the latest blessed run did the same work, its own comparison is returned instead. Otherwise a repeated run
    would have new inputs: nothing would come from the cache, and the same model would be pushed again.

    Args:
      runs: Runs of this pipeline, the latest first.
      package: The package compiled without a comparison.
      run_parameters: The run's other parameters.
      tables: Names of the tables.
      has_warm_start: Whether the training begins from a model of other data, see `Config.has_warm_start`.
    """
    sha256 = {name: run_parameters[name] for name in map(parameters.content_sha256, tables)}
    model: str | None = None
    start: str | None = None
    statistics: dict[str, str] = {}
    for run in runs:
        blessing = Blessing.of(run.output(nodes.EVALUATOR, "blessing"))
        trained = run.output(nodes.TRAINER, "model")
        if blessing is None or trained is None or not blessing.blessed:
            continue
        if model is None and _did_same_work(run, package, run_parameters):
            return _recorded_comparison(run, tables)
        model = model or trained.uri
        if any(run.parameters.get(name) != value for name, value in sha256.items()):
            statistics = _statistics(run, tables)
            # As on one machine, not the model that the same data gave: an unchanged run would train on from it.
            start = trained.uri if has_warm_start else None
            break
    return ComparisonUris(model, statistics, start)


def _recorded_comparison(run: ClusterRun, tables: Iterable[str]) -> ComparisonUris:
    uris = {table: run.parameters.get(parameters.statistics_before(table)) for table in tables}
    return ComparisonUris(
        run.parameters.get(parameters.BASELINE_MODEL),
        {table: str(uri) for table, uri in uris.items() if uri},
        run.parameters.get(parameters.WARM_START_MODEL),
    )


def _statistics(run: ClusterRun, tables: Iterable[str]) -> dict[str, str]:
    artifacts = {table: run.output(nodes.statistics(table), "statistics") for table in tables}
    return {table: artifact.uri for table, artifact in artifacts.items() if artifact is not None}


def _did_same_work(run: ClusterRun, package: Package, run_parameters: Mapping[str, str]) -> bool:
    """Returns whether all tasks of the package had the same parameters in that run."""
    for name, task in package.tasks.items():
        specs = task.get("inputs", {}).get("parameters", {})
        expected = {key: _value(spec, run_parameters) for key, spec in specs.items()}
        if name not in run.tasks or run.tasks[name].parameters != expected:
            return False
    return True


def _value(spec: Document, run_parameters: Mapping[str, str]) -> object:
    if "componentInputParameter" in spec:
        return run_parameters.get(spec["componentInputParameter"])
    return spec.get("runtimeValue", {}).get("constant")
