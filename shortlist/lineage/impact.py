"""What came of some data: every model, index and push that used it, and every run that died on the way."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from shortlist.errors import BadInputError
from shortlist.lineage.facts import content_sha256, end, hyperparameters, index
from shortlist.lineage.serving import PUSHERS, VersionPush, pushes
from shortlist.lineage.store import Artifact, Execution, Store
from shortlist.lineage.trace import COMPARED_WITH
from shortlist.records import nodes
from shortlist.records.artifacts import Blessing

_LEAST_OF_FINGERPRINT = 6
_MOST_ALIKE = 3


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A trained model and what became of it."""

    run_id: str
    """The run that trained it."""
    artifact_id: int
    seed: object
    trained: Execution
    blessed: bool | None
    """What the Evaluator said; None if it was not asked, or died."""
    reasons: list[str]
    """The Evaluator's."""
    index: dict[str, object]
    """The latest index that was built of it; empty where there is none."""
    index_blessed: bool | None
    pushes: list[VersionPush]


@dataclasses.dataclass(frozen=True)
class Impact:
    """All that came of some data."""

    name: str
    """How the data was asked for."""
    data: list[ImpactSource]
    models: list[TrainedModel]
    """Latest first."""
    executions: int
    """Nodes that used the data, from the cache too."""
    runs: list[str]
    """Runs that got as far as a model of it, trained anew or from the cache; latest first."""
    interrupted: list[tuple[Execution, str]]
    """What read the data, or something made of it, and did not get to its end; and how it ended."""


@dataclasses.dataclass(frozen=True)
class ImpactSource:
    """An artifact that was asked about."""

    artifact: Artifact
    node: str
    run_id: str
    sha256: str
    """Of the content of its files, for a table; empty otherwise."""


def impact(store: Store, named: str, at_work: bool = False) -> Impact:
    """Returns all that came of some data; what was only compared with it does not count.

    Args:
      store: The workspace's.
      named: A run (all tables that it read), the first six or more digits of a table's SHA-256, or an artifact's id.
      at_work: Whether a command writes to the workspace now.

    Raises:
      BadInputError: ML Metadata knows no such data.
    """
    sources = _sources(store, named)
    started_at = {source.artifact.id for source in sources}
    used_by = store.consumers(started_at, COMPARED_WITH)
    # A model may be asked about itself.
    makers = {execution.id for execution in store.producers(started_at)}
    trained = store.executions_of(*nodes.TRAINER_TYPES, among=used_by | makers)
    models = _models(store, [execution for execution in trained if execution.state == "COMPLETE"], used_by)
    interrupted = [(e, end(e, at_work)) for e in store.interrupted() if e.id in used_by]
    return Impact(
        name=named,
        data=sources,
        models=models,
        executions=len(used_by),
        runs=sorted({execution.run_id for execution in trained if execution.outputs}, reverse=True),
        interrupted=interrupted[::-1],
    )


def _sources(store: Store, named: str) -> list[ImpactSource]:
    if named in set(store.run_ids()):
        return _tables_of(store, named)
    if named.isdigit() and len(named) < _LEAST_OF_FINGERPRINT:
        return [_by_id(store, int(named))]
    prefix = named.lower()
    if not re.fullmatch(f"[0-9a-f]{{{_LEAST_OF_FINGERPRINT},64}}", prefix):
        raise BadInputError(
            f"--impact {named!r}: expected a run's id, {_LEAST_OF_FINGERPRINT} or more digits of a table's SHA-256, "
            "or an artifact's id; `shortlist runs` lists runs, `shortlist lineage` shows fingerprints"
        )
    found = [source for source in _read(store.ingestions_of(prefix)) if source.sha256.startswith(prefix)]
    if not found and named.isdigit():
        return [_by_id(store, int(named))]
    if not found:
        raise BadInputError(
            f"--impact {named}: no table with such a SHA-256 was read here; `shortlist lineage` shows fingerprints"
        )
    contents = sorted({source.sha256 for source in found})
    if len(contents) > 1:
        raise BadInputError(
            f"--impact {named}: {len(contents)} tables' fingerprints begin so, "
            f"{', '.join(sha256[:16] for sha256 in contents[:_MOST_ALIKE])} among them; give more digits"
        )
    return found


def _tables_of(store: Store, run_id: str) -> list[ImpactSource]:
    found = _read(execution for execution in store.run_executions(run_id) if execution.node.endswith("Gen"))
    if not found:
        raise BadInputError(f"--impact {run_id}: that run read no table to its end; `shortlist lineage --why {run_id}`")
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
            f"--impact {artifact_id}: ML Metadata has no artifact of that id; "
            "`shortlist lineage --json` has the ids, and a fingerprint or a run's id does, too"
        )
    producer = store.producer(artifact_id)
    if producer is None:
        return ImpactSource(artifact, "", "", "")
    return ImpactSource(artifact, producer.node, producer.run_id, content_sha256(producer))


def _models(store: Store, trained: list[Execution], used_by: set[int]) -> list[TrainedModel]:
    evaluators = store.executions_of(*nodes.EVALUATOR_TYPES, among=used_by, placed=False)
    builders = store.executions_of(nodes.INDEXER, nodes.FORCED_PUSH, among=used_by, placed=False)
    verdicts, indexers = _by_input(evaluators, "model"), _by_input(builders, "trained_model")
    refits = _by_input(store.executions_of(nodes.REFIT, among=used_by, placed=False), "measured_model")
    of_data = store.executions_of(*PUSHERS, among=used_by)
    pushers = _by_input(of_data, "model", "trained_model")
    pushed_in = {push.execution_id: push for push in pushes(of_data)}
    copies = _Copies(list(pushed_in.values()))
    found = []
    for execution in trained:
        model = execution.output("model")
        if model is None:
            continue
        verdict = Blessing.of(next((e.output("blessing") for e in reversed(verdicts.get(model.id, []))), None))
        # What is indexed is the model itself, or its recipe trained on everything.
        trained_again = [artifact for refit in refits.get(model.id, []) for artifact in refit.outputs.get("model", [])]
        of_it = [indexer for artifact in (model, *trained_again) for indexer in indexers.get(artifact.id, [])]
        built = [indexer for indexer in of_it if index(indexer)]
        index_verdict = Blessing.of(built[-1].output("blessing")) if built else None
        files = [model.id, *(artifact.id for indexer in of_it for artifact in indexer.outputs.get("model", []))]
        by = {pusher.id for artifact_id in files for pusher in pushers.get(artifact_id, [])}
        found.append(
            TrainedModel(
                run_id=execution.run_id,
                artifact_id=model.id,
                seed=hyperparameters(execution).get("train", {}).get("seed"),
                trained=execution,
                blessed=verdict.blessed if verdict else None,
                reasons=verdict.reasons if verdict else [],
                index=index(built[-1]) if built else {},
                index_blessed=index_verdict.blessed if index_verdict else None,
                pushes=copies.with_copies([pushed_in[number] for number in sorted(by) if number in pushed_in]),
            )
        )
    return found[::-1]


def _by_input(executions: list[Execution], *keys: str) -> dict[int, list[Execution]]:
    """Returns what came to its end by the id of what it was given."""
    found: dict[int, list[Execution]] = {}
    for execution in executions:
        if execution.state == "COMPLETE":
            for artifact_id in {artifact.id for key in keys for artifact in execution.inputs.get(key, [])}:
                found.setdefault(artifact_id, []).append(execution)
    return found


class _Copies:
    """Finds the rollbacks that brought a version back, and those that brought back what they made."""

    def __init__(self, pushes: list[VersionPush]):
        self._of: dict[int, list[VersionPush]] = {}
        for push in pushes:
            if push.copy_of is not None:
                self._of.setdefault(push.copy_of, []).append(push)

    def with_copies(self, pushes: list[VersionPush]) -> list[VersionPush]:
        found = list(pushes)
        for push in found:
            # Grows while it is walked: a copy may have been copied.
            found += self._of.get(push.version, [])
        return sorted(found, key=lambda push: push.version)
