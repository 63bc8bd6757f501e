"""What a run is compared with: looked up when it is submitted, since KFP has no resolvers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.kubeflow import parameters
from pipeline.kubeflow.metadata.store import ClusterRun
from pipeline.kubeflow.package import Document, Package
from pipeline.kubeflow.parameters import ComparedWith
from shortlist.records import nodes
from shortlist.records.artifacts import Blessing


def compared_with(
    runs: Iterable[ClusterRun], package: Package, told: Mapping[str, str], tables: Iterable[str]
) -> ComparedWith:
    """Returns the latest blessed model, and the statistics of the last blessed run on other data.

    A run that did the same work is not compared with: once its model is blessed, the same again must find what that
    run found, or nothing would come from the cache and the same model would be pushed again.

    Args:
      runs: Of this pipeline, the latest first.
      package: As compiled without anything to compare with.
      told: What the run will be told besides.
      tables: Names of the tables.
    """
    sha256 = {name: told[name] for name in map(parameters.content_sha256, tables)}
    model: str | None = None
    statistics: dict[str, str] = {}
    for run in runs:
        blessing = Blessing.of(run.output(nodes.EVALUATOR, "blessing"))
        trained = run.output(nodes.TRAINER, "model")
        if blessing is None or trained is None or not blessing.blessed:
            continue
        if model is None and _did_the_same(run, package, told):
            return _recorded_inputs(run, tables)
        model = model or trained.uri
        if any(run.parameters.get(name) != value for name, value in sha256.items()):
            statistics = _statistics(run, tables)
            break
    return ComparedWith(model, statistics)


def _recorded_inputs(run: ClusterRun, tables: Iterable[str]) -> ComparedWith:
    found = {table: run.parameters.get(parameters.statistics_before(table)) for table in tables}
    return ComparedWith(
        run.parameters.get(parameters.BASELINE_MODEL), {table: str(uri) for table, uri in found.items() if uri}
    )


def _statistics(run: ClusterRun, tables: Iterable[str]) -> dict[str, str]:
    found = {table: run.output(nodes.statistics(table), "statistics") for table in tables}
    return {table: artifact.uri for table, artifact in found.items() if artifact is not None}


def _did_the_same(run: ClusterRun, package: Package, told: Mapping[str, str]) -> bool:
    """Whether each task of the package was told the same by that run."""
    for name, task in package.tasks.items():
        expected = {key: _value(spec, told) for key, spec in task.get("inputs", {}).get("parameters", {}).items()}
        if name not in run.tasks or run.tasks[name].parameters != expected:
            return False
    return True


def _value(spec: Document, told: Mapping[str, str]) -> object:
    if "componentInputParameter" in spec:
        return told.get(spec["componentInputParameter"])
    return spec.get("runtimeValue", {}).get("constant")
