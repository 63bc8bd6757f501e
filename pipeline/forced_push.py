"""Pushes the latest run's model although a gate said no, because a person says why."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable

from components.indexer import build, queries
from components.serving_check import check
from shortlist import keys
from shortlist.config.config import Config
from shortlist.config.serving import Index
from shortlist.errors import BadInputError
from shortlist.lineage import journal
from shortlist.lineage.store import Artifact, Execution, Store
from shortlist.records import nodes, properties
from shortlist.records.artifacts import Blessing, PushedModel, index_of, refit_of
from shortlist.serving import versions
from shortlist.summary import Status, read_summary
from shortlist.workspace import Workspace

# Where TFX has the SavedModel of a Model artifact; the function that says so costs an import of 25 s.
_SERVING = "Format-Serving"
# As many as the pipeline's own check asks.
_NUM_CHECK_QUERIES = 64


@dataclasses.dataclass(frozen=True)
class ForcedPush:
    """What is served after a forced push."""

    version: int
    path: str
    run_id: str
    """The run whose model it is."""
    overridden: dict[str, list[str]]
    """Node to the reasons for which it said no."""
    reason: str
    by: str


def force_push(config: Config, workspace: Workspace, reason: str, tell: Callable[[str], None]) -> ForcedPush:
    """Builds what is missing of the latest run's index, checks that it can be served, pushes it, and records all that.

    The caller holds the workspace. What was served stays until the new version arrives, and stays if it does not.

    Args:
      config: The pipeline's.
      workspace: The pipeline's.
      reason: Why the gates are overridden.
      tell: Told what is being done.

    Raises:
      BadInputError: The latest run has nothing to override, or its model cannot be served.
    """
    book = journal.Journal(workspace)
    book.close_abandoned()
    run = _latest_rejected(workspace)
    facts = {properties.RUN_ID: run.run_id, properties.REASON: reason, properties.BY: journal.user_at_host()}
    with book.step(nodes.FORCED_PUSH, run.inputs, facts) as step:
        index = run.index or _build(run, book, step, tell)
        overridden = run.objections | index.objections
        step.add({properties.OVERRIDDEN: json.dumps(overridden)})
        _check(run, index, tell)
        tell("Pushing ...")
        version = versions.push(
            index.model_dir,
            index.exact_dir,
            workspace.serving_dir,
            config.push.keep_versions,
            announce=lambda number: step.announce(
                "pushed_model",
                "PushedModel",
                str(index.model_dir),
                {
                    **facts,
                    properties.OVERRIDDEN: json.dumps(overridden),
                    **PushedModel.properties_of(number, str(workspace.serving_dir / str(number))),
                },
            ),
        )
    return ForcedPush(
        version=version,
        path=str(workspace.serving_dir / str(version)),
        run_id=run.run_id,
        overridden=overridden,
        reason=reason,
        by=facts["by"],
    )


@dataclasses.dataclass(frozen=True)
class _Index:
    """An index and its exact twin, and what their own gate said."""

    model_dir: pathlib.Path
    exact_dir: pathlib.Path
    objections: dict[str, list[str]]


@dataclasses.dataclass(frozen=True)
class _Run:
    """A run that ended without a push, from the Trainer on."""

    run_id: str
    nodes: dict[str, Execution]

    def output(self, node: str, key: str) -> Artifact:
        """Returns an output of the run.

        Raises:
          BadInputError: ML Metadata has none.
        """
        artifact = self.nodes[node].output(key) if node in self.nodes else None
        if artifact is None:
            raise BadInputError(f"run {self.run_id}: ML Metadata has no {key} of {node}; `shortlist run` makes one")
        return artifact

    @property
    def inputs(self) -> dict[str, list[Artifact]]:
        """What a forced push goes by."""
        places = {"model_blessing": (nodes.EVALUATOR, "blessing"), "examples": (nodes.WINDOWS, "examples")}
        if self.index is not None:
            places |= {
                "model": (nodes.INDEXER, "model"),
                "exact_model": (nodes.INDEXER, "exact_model"),
                "index_blessing": (nodes.INDEXER, "blessing"),
            }
        return {"trained_model": [self.trained_model], **{key: [self.output(*place)] for key, place in places.items()}}

    @property
    def trained_model(self) -> Artifact:
        """What an index is made of: the refit, where the measured model was blessed and there is one."""
        refit = self.nodes[nodes.REFIT].output("model") if nodes.REFIT in self.nodes else None
        return refit if refit is not None and refit_of(refit) else self.output(nodes.TRAINER, "model")

    @property
    def objections(self) -> dict[str, list[str]]:
        """What the Evaluator said against the model, and the serving check if that was asked."""
        said = _objections(nodes.EVALUATOR, self.output(nodes.EVALUATOR, "blessing"))
        if nodes.SERVING_CHECK in self.nodes:
            blessing = self.output(nodes.SERVING_CHECK, "blessing")
            if blessing.properties[properties.STATUS] == properties.CHECK_FAILED:
                said |= _objections(nodes.SERVING_CHECK, blessing)
        return said

    @property
    def index(self) -> _Index | None:
        """The index that the run built; None if it built none, as for a model that was not blessed."""
        model = self.output(nodes.INDEXER, "model")
        if not index_of(model):
            return None
        return _Index(
            pathlib.Path(model.uri, _SERVING),
            pathlib.Path(self.output(nodes.INDEXER, "exact_model").uri, _SERVING),
            _objections(nodes.INDEXER, self.output(nodes.INDEXER, "blessing")),
        )


def _objections(node: str, blessing: Artifact) -> dict[str, list[str]]:
    verdict = Blessing.of(blessing)
    return {} if verdict is None or verdict.blessed else {node: verdict.reasons}


def _latest_rejected(workspace: Workspace) -> _Run:
    path = workspace.runs_dir / "latest" / "summary.json"
    if not path.exists():
        raise BadInputError(f"{workspace.root}: no run has ended here yet; `shortlist run` makes a model")
    summary = read_summary(path)
    if summary.pushed is not None:
        raise BadInputError(
            f"run {summary.run_id}, the latest, pushed its model as version {summary.pushed.version}; "
            f"if another is served, `shortlist rollback {summary.pushed.version}` brings it back"
        )
    if summary.status in (Status.REFUSED, Status.FAILED):
        raise BadInputError(
            f"run {summary.run_id}, the latest, did not get as far as a push, which could be forced; "
            f"it ended with {summary.status.value!r}: {'; '.join(summary.reasons)}"
        )
    executions = Store.of(workspace).run_executions(summary.run_id)
    return _Run(summary.run_id, {execution.node: execution for execution in executions})


def _build(run: _Run, book: journal.Journal, step: journal.JournalStep, tell: Callable[[str], None]) -> _Index:
    """Builds the index as the run would have, had the model been blessed."""
    tell("Building the index ...")
    folders = {key: book.output_folder(nodes.FORCED_PUSH, key, step.id) for key in ("model", "exact_model")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    index = _Index(folders["model"] / _SERVING, folders["exact_model"] / _SERVING, {})
    report = build.build(
        windows_dir=run.output(nodes.WINDOWS, "examples").uri,
        trained_dir=str(pathlib.Path(run.trained_model.uri, _SERVING)),
        settings=Index.model_validate_json(str(run.nodes[nodes.INDEXER].properties[properties.CONFIG])),
        model_dir=str(index.model_dir),
        exact_dir=str(index.exact_dir),
    )
    if report.index is None:
        raise BadInputError(f"the model of run {run.run_id} has no index that could be pushed: {report.reasons[0]}")
    step.announce("model", "Model", str(folders["model"]), {properties.INDEX: json.dumps(report.index, sort_keys=True)})
    step.announce("exact_model", "Model", str(folders["exact_model"]), {})
    return dataclasses.replace(index, objections={nodes.INDEXER: report.reasons} if report.reasons else {})


def _check(run: _Run, index: _Index, tell: Callable[[str], None]) -> None:
    """Refuses what could not be served: such a model answers nobody, so that no reason can be good enough."""
    tell("Asking the model in a clean process (about half a minute) ...")
    for folder in (index.model_dir, index.exact_dir):
        for name in versions.missing_files(folder):
            raise BadInputError(f"the model of run {run.run_id} is not complete: {folder / name} is gone")
    windows_dir = pathlib.Path(run.output(nodes.WINDOWS, "examples").uri, f"Split-{keys.SPLIT_TEST}")
    windows = queries.sample_windows(str(windows_dir), _NUM_CHECK_QUERIES)
    problems, _ = check.check(str(index.model_dir), str(index.exact_dir), windows)
    if problems:
        raise BadInputError(
            f"the model of run {run.run_id} cannot be pushed, by force neither: the serving check says: {problems[0]}"
        )
