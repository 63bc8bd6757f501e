"""Impact of some data: models, indexes and pushes that used it, and executions that were interrupted."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from shortlist.errors import BadInputError
from shortlist.lineage.executions import Artifact, Execution, output_of
from shortlist.lineage.facts.by_node import end
from shortlist.lineage.fingerprints import content_sha256
from shortlist.lineage.serving import PUSHERS, VersionPush, pushes
from shortlist.lineage.settings import hyperparameters, index
from shortlist.lineage.store import Store
from shortlist.lineage.trace import COMPARED_WITH
from shortlist.records import nodes
from shortlist.records.artifacts import Blessing

# Shorter numbers are taken for artifact ids.
_MIN_DIGITS = 6
_MAX_NAMED = 3


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A trained model with its verdict, its index and its pushes."""

    run_id: str
    """The run that trained it."""
    artifact_id: int
    seed: object
    trained: Execution
    blessed: bool | None
    """The Evaluator's verdict; None if it did not run or was interrupted."""
    reasons: list[str]
    """The Evaluator's reasons."""
    index: dict[str, object]
    """The latest index of the model; empty if there is none."""
    index_blessed: bool | None
    pushes: list[VersionPush]


@dataclasses.dataclass(frozen=True)
class Impact:
    """Everything that used some data."""

    name: str
    """The run id, fingerprint or artifact id in the command."""
    data: list[ImpactSource]
    models: list[TrainedModel]
    """The latest first."""
    executions: int
    """Number of executions that used the data, including cached ones."""
    runs: list[str]
    """Runs that have a model of the data, trained or from the cache; the latest first."""
    interrupted: list[tuple[Execution, str]]
    """Unfinished executions that read the data or something made from it, each with its end."""


@dataclasses.dataclass(frozen=True)
class ImpactSource:
    """An artifact whose impact is reported."""

    artifact: Artifact
    node: str
    run_id: str
    sha256: str
    """Fingerprint of a table's input files; empty for other artifacts."""


def impact(store: Store, name: str, at_work: bool = False) -> Impact:
    """Returns everything that used some data; artifacts that were only compared with it do not count.

    Args:
      store: The workspace's store.
      name: A run (for all tables that it read), six or more first digits of a table's SHA-256, or an artifact id.
      at_work: Whether a command is writing to the workspace now.

    Raises:
      BadInputError: ML Metadata has no such data.
    """
    sources = _sources(store, name)
    started_at = {source.artifact.id for source in sources}
    used_by = store.consumers(started_at, COMPARED_WITH)
    # The name may be the id of a model, which is then part of its own impact.
    makers = {execution.id for execution in store.producers(started_at)}
    trained = store.executions_of(*nodes.TRAINER_TYPES, among=used_by | makers)
    models = _models(store, [execution for execution in trained if execution.state == "COMPLETE"], used_by)
    interrupted = [(e, end(e, at_work)) for e in store.interrupted() if e.id in used_by]
    return Impact(
        name=name,
        data=sources,
        models=models,
        executions=len(used_by),
        runs=sorted({execution.run_id for execution in trained if execution.outputs}, reverse=True),
        interrupted=interrupted[::-1],
    )


def _sources(store: Store, name: str) -> list[ImpactSource]:
    if name in set(store.run_ids()):
        return _tables_of(store, name)
    if name.isdigit() and len(name) < _MIN_DIGITS:
        return [_by_id(store, int(name))]
    prefix = name.lower()
    if not re.fullmatch(f"[0-9a-f]{{{_MIN_DIGITS},64}}", prefix):
        raise BadInputError(
            f"--impact {name!r}: expected a run's id, {_MIN_DIGITS} or more digits of a table's SHA-256, "
            "or an artifact's id; `shortlist runs` lists runs, `shortlist lineage` shows fingerprints"
        )
    found = [source for source in _read(store.ingestions_of(prefix)) if source.sha256.startswith(prefix)]
    if not found and name.isdigit():
        return [_by_id(store, int(name))]
    if not found:
        raise BadInputError(
            f"--impact {name}: no table with this SHA-256 was read here; `shortlist lineage` shows fingerprints"
        )
    contents = sorted({source.sha256 for source in found})
    if len(contents) > 1:
        raise BadInputError(
            f"--impact {name}: the fingerprints of {len(contents)} tables begin with these digits, for example "
            f"{', '.join(sha256[:16] for sha256 in contents[:_MAX_NAMED])}; give more digits"
        )
    return found


def _tables_of(store: Store, run_id: str) -> list[ImpactSource]:
    found = _read(execution for execution in store.run_executions(run_id) if execution.node.endswith("Gen"))
    if not found:
        raise BadInputError(
            f"--impact {run_id}: this run did not finish reading any table; see `shortlist lineage --why {run_id}`"
        )
    return found


def _read(executions: Iterable[Execution]) -> list[ImpactSource]:
    return [
        ImpactSource(artifact, execution.node, execution.run_id, content_sha256(execution))
        for execution in executions
        for artifact in execution.outputs.get("examples", [])
    ]


def _by_id(store: Store, artifact_id: int) -> ImpactSource:
    artifact = store.artifact(artifact_id)
    if artifact is None:
        raise BadInputError(
            f"--impact {artifact_id}: ML Metadata has no artifact with this id; "
            "`shortlist lineage --json` lists the ids; a fingerprint or a run's id is also possible"
        )
    producer = store.producer(artifact_id)
    if producer is None:
        return ImpactSource(artifact, "", "", "")
    return ImpactSource(artifact, producer.node, producer.run_id, content_sha256(producer))


def _models(store: Store, trained: list[Execution], used_by: set[int]) -> list[TrainedModel]:
    evaluators = store.executions_of(*nodes.EVALUATOR_TYPES, among=used_by, with_contexts=False)
    builders = store.executions_of(nodes.INDEXER, nodes.FORCED_PUSH, among=used_by, with_contexts=False)
    verdicts, indexers = _by_input(evaluators, "model"), _by_input(builders, "trained_model")
    refits = _by_input(store.executions_of(nodes.REFIT, among=used_by, with_contexts=False), "measured_model")
    push_executions = store.executions_of(*PUSHERS, among=used_by)
    pushers = _by_input(push_executions, "model", "trained_model")
    pushed_in = {push.execution_id: push for push in pushes(push_executions)}
    copies = _Copies(list(pushed_in.values()))
    found = []
    for execution in trained:
        model = execution.output("model")
        if model is None:
            continue
        blessed, reasons = _verdict(verdicts.get(model.id, []))
        # The Indexer reads the model itself or its refit.
        refitted = [artifact for refit in refits.get(model.id, []) for artifact in refit.outputs.get("model", [])]
        of_model = [indexer for artifact in (model, *refitted) for indexer in indexers.get(artifact.id, [])]
        built = [indexer for indexer in of_model if index(indexer)][-1:]
        index_blessed, _ = _verdict(built)
        model_ids = [model.id, *(artifact.id for indexer in of_model for artifact in indexer.outputs.get("model", []))]
        pusher_ids = {pusher.id for artifact_id in model_ids for pusher in pushers.get(artifact_id, [])}
        found.append(
            TrainedModel(
                run_id=execution.run_id,
                artifact_id=model.id,
                seed=hyperparameters(execution).get("train", {}).get("seed"),
                trained=execution,
                blessed=blessed,
                reasons=reasons,
                index=index(built[0]) if built else {},
                index_blessed=index_blessed,
                pushes=copies.with_copies([pushed_in[item] for item in sorted(pusher_ids) if item in pushed_in]),
            )
        )
    return found[::-1]


def _verdict(executions: list[Execution]) -> tuple[bool | None, list[str]]:
    """Returns whether the last of the executions blessed its model, and its reasons; None if there is no verdict."""
    blessing = Blessing.of(output_of(next(reversed(executions), None), "blessing"))
    if blessing is None:
        return None, []
    return blessing.blessed, blessing.reasons


def _by_input(executions: list[Execution], *keys: str) -> dict[int, list[Execution]]:
    """Returns complete executions by the ids of their input artifacts."""
    found: dict[int, list[Execution]] = {}
    for execution in executions:
        if execution.state == "COMPLETE":
            for artifact_id in {artifact.id for key in keys for artifact in execution.inputs.get(key, [])}:
                found.setdefault(artifact_id, []).append(execution)
    return found


class _Copies:
    """Finds rollbacks that copied a version, and rollbacks that copied such a copy."""

    def __init__(self, pushes: list[VersionPush]):
        self._of: dict[int, list[VersionPush]] = {}
        for push in pushes:
            if push.copy_of is not None:
                self._of.setdefault(push.copy_of, []).append(push)

    def with_copies(self, pushes: list[VersionPush]) -> list[VersionPush]:
        found = list(pushes)
        for push in found:
            # The list grows during the iteration, because a copy may itself be copied.
            found += self._of.get(push.version, [])
        return sorted(found, key=lambda push: push.version)
