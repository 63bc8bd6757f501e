"""A push by hand of the latest run's model, although a gate refused it. A reason is required and recorded."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Callable

from components.indexer import build, catalogue, queries
from components.serving_check import check
from shortlist import keys
from shortlist.config.config import Config
from shortlist.config.serving import Index
from shortlist.errors import BadInputError
from shortlist.lineage import journal
from shortlist.lineage.executions import Artifact, Execution
from shortlist.lineage.journal_step import JournalStep
from shortlist.lineage.store import Store
from shortlist.model_files import EVALUATION_FILE
from shortlist.records import contents, nodes, properties
from shortlist.records.artifacts import Blessing, PushedModel, index_of, refit_of
from shortlist.serving import versions
from shortlist.serving.catalogue import Catalogue
from shortlist.serving.evaluation import ServedEvaluation
from shortlist.summary import Kind, Status, read_summary
from shortlist.workspace import Workspace

# Folder of the SavedModel in a Model artifact. `tfx.utils.path_utils` knows it, but its import takes 25 s.
_SERVING = "Format-Serving"
# The pipeline's own serving check asks as many.
_NUM_CHECK_QUERIES = 64


@dataclasses.dataclass(frozen=True)
class ForcedPush:
    """The served version after a push by hand."""

    version: int
    path: str
    run_id: str
    """Id of the run that trained the model."""
    overridden: dict[str, list[str]]
    """Node to its reasons for the refusal."""
    reason: str
    by: str


def force_push(config: Config, workspace: Workspace, reason: str, report: Callable[[str], None]) -> ForcedPush:
    """Pushes the model of the latest run and records the push in ML Metadata.

    Builds the index first if the run built none, and checks that the model can be served. The caller holds the
    workspace. The served version stays until the new one is complete, also if the push fails.

    Args:
      config: The pipeline's config.
      workspace: The pipeline's workspace.
      reason: The reason for overriding the gates.
      report: Called with a line of text at each step.

    Raises:
      BadInputError: The latest run has nothing to override, or its model cannot be served.
    """
    book = journal.Journal(workspace)
    # Executions of an earlier push that was killed.
    book.close_abandoned()
    run = _latest_rejected(workspace)
    facts = {properties.RUN_ID: run.run_id, properties.REASON: reason, properties.BY: journal.user_at_host()}
    with book.step(nodes.FORCED_PUSH, run.inputs, facts) as step:
        index = run.index or _build(run, book, step, report)
        overridden = run.objections | index.objections
        step.add({properties.OVERRIDDEN: json.dumps(overridden)})
        _check(run, index, report)
        report("Pushing ...")
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
    """An index and its exact copy, with the reasons of the recall gate if it refused them."""

    model_dir: pathlib.Path
    exact_dir: pathlib.Path
    objections: dict[str, list[str]]


@dataclasses.dataclass(frozen=True)
class _Run:
    """A run that trained a model and ended without a push."""

    run_id: str
    nodes: dict[str, Execution]

    def output(self, node: str, key: str) -> Artifact:
        """Returns an output of the run.

        Raises:
          BadInputError: ML Metadata has none, or its files are damaged.
        """
        artifact = self.nodes[node].output(key) if node in self.nodes else None
        if artifact is None:
            raise BadInputError(f"run {self.run_id}: ML Metadata has no {key} of {node}; `shortlist run` makes one")
        damage = contents.damage(artifact.uri, str(artifact.properties.get(properties.MANIFEST, "")))
        if damage is not None:
            raise BadInputError.from_parts(
                artifact.uri, f"the {key} of {node} in run {self.run_id}", damage, "`shortlist run` makes it again"
            )
        return artifact

    @property
    def inputs(self) -> dict[str, list[Artifact]]:
        """Inputs of the execution that records the push."""
        sources = {"model_blessing": (nodes.EVALUATOR, "blessing"), "examples": (nodes.WINDOWS, "examples")}
        if self.index is not None:
            sources |= {
                "model": (nodes.INDEXER, "model"),
                "exact_model": (nodes.INDEXER, "exact_model"),
                "index_blessing": (nodes.INDEXER, "blessing"),
            }
        outputs = {key: [self.output(node, output)] for key, (node, output) in sources.items()}
        return {"trained_model": [self.trained_model], **outputs}

    @property
    def trained_model(self) -> Artifact:
        """The model to index: the refit if the run made one, else the measured model."""
        if nodes.REFIT in self.nodes:
            refit = self.nodes[nodes.REFIT].output("model")
            # The Refit node leaves an empty artifact if the measured model was not blessed.
            if refit is not None and refit_of(refit):
                return refit
        return self.output(nodes.TRAINER, "model")

    @property
    def objections(self) -> dict[str, list[str]]:
        """The Evaluator's reasons against the model, and those of the serving check if it ran and failed."""
        found = _objections(nodes.EVALUATOR, self.output(nodes.EVALUATOR, "blessing"))
        if nodes.SERVING_CHECK in self.nodes:
            blessing = self.output(nodes.SERVING_CHECK, "blessing")
            if blessing.properties[properties.STATUS] == properties.CHECK_FAILED:
                found |= _objections(nodes.SERVING_CHECK, blessing)
        return found

    @property
    def index(self) -> _Index | None:
        """The index that the run built. None if it built none, for example because the model was not blessed."""
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
    if verdict is None or verdict.blessed:
        return {}
    return {node: verdict.reasons}


def _latest_rejected(workspace: Workspace) -> _Run:
    path = workspace.runs_dir / "latest" / "summary.json"
    if not path.exists():
        raise BadInputError(f"{workspace.root}: no run has ended here yet; `shortlist run` makes a model")
    summary = read_summary(path)
    if summary.kind is Kind.REINDEX:
        raise BadInputError(
            f"run {summary.run_id}, the latest, is a reindex, which cannot be pushed by force; `shortlist run` trains "
            "a model"
        )
    if summary.pushed is not None:
        raise BadInputError(
            f"run {summary.run_id}, the latest, pushed its model as version {summary.pushed.version}; "
            f"if another version is served, `shortlist rollback {summary.pushed.version}` brings it back"
        )
    if summary.status in (Status.REFUSED, Status.FAILED):
        raise BadInputError(
            f"run {summary.run_id}, the latest, has no model that can be pushed; "
            f"it ended with {summary.status.value!r}: {'; '.join(summary.reasons)}"
        )
    executions = Store.of(workspace).run_executions(summary.run_id)
    return _Run(summary.run_id, {execution.node: execution for execution in executions})


def _build(run: _Run, book: journal.Journal, step: JournalStep, report: Callable[[str], None]) -> _Index:
    """Builds the index with the settings of the run's Indexer, which builds none for a model that is not blessed."""
    report("Building the index ...")
    folders = {key: book.output_folder(nodes.FORCED_PUSH, key, step.id) for key in ("model", "exact_model")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    index = _Index(folders["model"] / _SERVING, folders["exact_model"] / _SERVING, {})
    indexer = run.nodes[nodes.INDEXER].properties
    trained_dir = str(pathlib.Path(run.trained_model.uri, _SERVING))
    with _catalogue(run, trained_dir) as written:
        built = build.build(
            windows_dir=run.output(nodes.WINDOWS, "examples").uri,
            trained_dir=trained_dir,
            settings=Index.model_validate_json(str(indexer[properties.CONFIG])),
            catalogue=written,
            model_dir=str(index.model_dir),
            exact_dir=str(index.exact_dir),
            exclude_seen=bool(indexer.get(properties.EXCLUDE_SEEN, 1)),
        )
        if built.index is not None and written is not None:
            catalogue.copy(written, [str(index.model_dir), str(index.exact_dir)])
    if built.index is None:
        raise BadInputError(f"the model of run {run.run_id} has no index that could be pushed: {built.reasons[0]}")
    _describe(run, index)
    step.announce("model", "Model", str(folders["model"]), {properties.INDEX: json.dumps(built.index, sort_keys=True)})
    step.announce("exact_model", "Model", str(folders["exact_model"]), {})
    if built.reasons:
        return dataclasses.replace(index, objections={nodes.INDEXER: built.reasons})
    return index


def _catalogue(run: _Run, trained_dir: str) -> contextlib.AbstractContextManager[Catalogue | None]:
    """Returns the catalogue of the run's model; None for a run of version 0.1, which did not record the fields."""
    indexer = run.nodes[nodes.INDEXER].properties
    if properties.CATALOGUE not in indexer:
        return contextlib.nullcontext()
    return catalogue.written(
        str(pathlib.Path(run.output(nodes.CANDIDATES_GEN, "examples").uri, f"Split-{keys.SPLIT_ALL}")),
        catalogue.CatalogueFields.from_json(str(indexer[properties.CATALOGUE])),
        trained_dir,
    )


def _describe(run: _Run, index: _Index) -> None:
    """Writes the evaluation into a new index."""
    indexer = run.nodes[nodes.INDEXER].properties
    folders = (index.model_dir, index.exact_dir)
    evaluation = ServedEvaluation.of(
        run.output(nodes.EVALUATOR, "evaluation"),
        run.output(nodes.EVALUATOR, "blessing"),
        exclude_seen=bool(indexer.get(properties.EXCLUDE_SEEN, 1)),
        refit=bool(refit_of(run.trained_model)),
    )
    for folder in folders:
        (folder / EVALUATION_FILE).write_text(evaluation.to_json(), encoding="utf-8")


def _check(run: _Run, index: _Index, report: Callable[[str], None]) -> None:
    """Refuses a model that cannot be served. This check cannot be overridden: such a model answers no request."""
    report("Querying the model in a clean process (about half a minute) ...")
    for folder in (index.model_dir, index.exact_dir):
        for name in versions.missing_files(folder):
            raise BadInputError(f"the model of run {run.run_id} is incomplete: {folder / name} is missing")
    windows_dir = pathlib.Path(run.output(nodes.WINDOWS, "examples").uri, f"Split-{keys.SPLIT_TEST}")
    windows = queries.sample_windows(str(windows_dir), _NUM_CHECK_QUERIES)
    problems, _ = check.check(str(index.model_dir), str(index.exact_dir), windows)
    if problems:
        raise BadInputError(
            f"the model of run {run.run_id} cannot be pushed, not even by force: the serving check failed, "
            f"{problems[0]}"
        )
