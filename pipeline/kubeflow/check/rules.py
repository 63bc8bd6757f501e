"""The list of all rules, and the refusal of a package that breaks one."""

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

_MAX_SHOWN = 5


def find_problems(
    package: Package, mounts: Iterable[str] = (), private_paths: Iterable[str] = ()
) -> list[PackageProblem]:
    """Returns all problems of a package, in the order of the rules.

    Args:
      package: A compiled pipeline, from any compiler.
      mounts: Folders that exist in the pods; absolute paths below them are allowed.
      private_paths: Folders of this machine, which must not occur at all.
    """
    view = View(package.pipeline)
    problems = [problem for rule in _RULES for problem in rule(view)]
    problems += leaks.local_path(view, tuple(mounts), tuple(private_paths))
    problems += kubernetes.platform(view, package.platform)
    return problems


def refuse_problems(
    package: Package, source: str, mounts: Iterable[str] = (), private_paths: Iterable[str] = ()
) -> None:
    """Refuses a package that Kubeflow Pipelines would refuse.

    Args:
      package: See `find_problems`.
      source: Name of the package for the error message.
      mounts: See `find_problems`.
      private_paths: See `find_problems`.

    Raises:
      ConfigError: The package has problems; the message has the first five.
    """
    problems = find_problems(package, mounts, private_paths)
    if problems:
        shown = [str(problem) for problem in problems[:_MAX_SHOWN]]
        if len(problems) > _MAX_SHOWN:
            shown.append(f"and {len(problems) - _MAX_SHOWN} more")
        raise ConfigError(f"{source}: Kubeflow Pipelines would refuse it: {'; '.join(shown)}")
