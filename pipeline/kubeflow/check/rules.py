"""All rules, and the one sentence that a package which breaks them is refused with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pipeline.kubeflow.check import containers, graph, kubernetes, leaks, schema, values
from pipeline.kubeflow.check.view import PackageProblem, View
from pipeline.kubeflow.package import Package
from shortlist.errors import ConfigError

_Rule = Callable[[View], Iterator[PackageProblem]]

_RULES: tuple[_Rule, ...] = (
    schema.schema_version,
    schema.pipeline_name,
    schema.unknown_fields,
    graph.root_dag,
    graph.component_ref,
    graph.executor,
    graph.task_name,
    graph.producer_task,
    graph.producer_output,
    graph.dependent_task,
    graph.cycle,
    graph.component_input,
    values.input_kind,
    values.parameter_type,
    values.value_type,
    values.missing_input,
    values.artifact_type,
    containers.image,
    containers.command,
    containers.lifecycle,
    containers.resources,
    containers.placeholder,
    containers.size,
    containers.importer,
    containers.condition,
    containers.iterator,
    leaks.secret,
)

_MOST_SHOWN = 5


def find_problems(
    package: Package, mounts: Iterable[str] = (), private_paths: Iterable[str] = ()
) -> list[PackageProblem]:
    """Returns all that the backend would refuse, in the order of the rules.

    Args:
      package: A compiled pipeline, of any compiler.
      mounts: Folders that exist in the pods; absolute paths below them are no local paths.
      private_paths: Folders of this machine, whatever they look like.
    """
    view = View(package.pipeline)
    problems = [problem for rule in _RULES for problem in rule(view)]
    problems += leaks.local_path(view, tuple(mounts), tuple(private_paths))
    problems += kubernetes.platform(view, package.platform)
    return problems


def refuse_problems(
    package: Package, source: str, mounts: Iterable[str] = (), private_paths: Iterable[str] = ()
) -> None:
    """Raises if Kubeflow Pipelines would refuse a package; the arguments are those of `find_problems`.

    Raises:
      ConfigError: Names `source` and the first few problems.
    """
    problems = find_problems(package, mounts, private_paths)
    if problems:
        more = len(problems) - _MOST_SHOWN
        shown = "; ".join(map(str, problems[:_MOST_SHOWN])) + (f"; and {more} more" if more > 0 else "")
        raise ConfigError(f"{source}: Kubeflow Pipelines would refuse it: {shown}")
