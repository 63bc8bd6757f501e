"""The trained model behind the served version, with the artifacts that it was judged by."""

from __future__ import annotations

import dataclasses

from shortlist.errors import BadInputError
from shortlist.lineage.executions import Artifact, Execution
from shortlist.lineage.store import Store
from shortlist.lineage.trace import pushed_models, upstream
from shortlist.records import nodes
from shortlist.serving import versions
from shortlist.workspace import Workspace

_TRAINED = "trained_model"
_BLESSING = "model_blessing"
_EXAMPLES = "examples"
_VERDICT = "verdict"
_TRAINERS = (nodes.TRAINER, nodes.REFIT)


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """Artifacts of a training run."""

    version: int
    """The served version."""
    run_id: str
    """The run that trained the model."""
    trained_model: Artifact
    """The Trainer's model, or the Refit's."""
    model_blessing: Artifact
    """Its blessing."""
    examples: Artifact
    """The windows that it was evaluated on."""
    evaluation: Artifact
    """The Evaluator's measurements of it, or of the model that it is a refit of."""
    verdict: Artifact
    """The Evaluator's blessing of the measured model."""

    @property
    def artifact_ids(self) -> dict[str, int]:
        """Artifact id by role."""
        roles = (_TRAINED, _BLESSING, _EXAMPLES, "evaluation", _VERDICT)
        return {role: getattr(self, role).id for role in roles}


def find_served_model(workspace: Workspace) -> ServedModel:
    """Returns the model of the served version, also after a rollback, a forced push or a reindex.

    Raises:
      BadInputError: Nothing is served, ML Metadata does not know the version, or files of the model were deleted.
    """
    version = versions.served_version(workspace.serving_dir)
    if version is None or not workspace.has_metadata:
        raise BadInputError(f"{workspace.serving_dir}: no model was pushed yet; `shortlist run` trains and pushes one")
    store = Store.of(workspace)
    pushed = pushed_models(store).get(version)
    if pushed is None:
        raise BadInputError(
            f"version {version} is in the serving folder, but not in ML Metadata, so its model is unknown; "
            "`shortlist run` pushes another"
        )
    executions = upstream(store, [pushed.id])
    # A refreshed model was indexed on the windows of the model that it was made from.
    indexed = next((execution for execution in executions if {_TRAINED, _EXAMPLES} <= execution.inputs.keys()), None)
    found = _trained_by(store, executions)
    if indexed is None or found is None:
        raise BadInputError(f"version {version}: ML Metadata does not have its training; `shortlist run` trains anew")
    reader, trainer = found
    [blessing] = reader.inputs[_BLESSING]
    evaluator = _evaluator(store, blessing)
    evaluation, verdict = (evaluator.output(key) if evaluator else None for key in ("evaluation", "blessing"))
    if evaluation is None or verdict is None:
        raise BadInputError(f"version {version}: ML Metadata does not have its evaluation; `shortlist run` makes one")
    model = ServedModel(
        version, trainer.run_id, reader.inputs[_TRAINED][0], blessing, indexed.inputs[_EXAMPLES][0], evaluation, verdict
    )
    for artifact in (model.trained_model, model.examples):
        if artifact.deleted:
            raise BadInputError(
                f"version {version}: the files of its training were deleted from {artifact.uri}; "
                "`shortlist run` trains a model"
            )
    return model


def _trained_by(store: Store, executions: list[Execution]) -> tuple[Execution, Execution] | None:
    """Returns an execution that indexed or refreshed a trained model, and the one that trained it."""
    for execution in executions:
        model = next(iter(execution.inputs.get(_TRAINED, [])), None)
        trainer = store.producer(model.id) if model else None
        if trainer is not None and trainer.node in _TRAINERS:
            return execution, trainer
    return None


def _evaluator(store: Store, blessing: Artifact) -> Execution | None:
    """Returns the Evaluator's execution behind a blessing; a refit's blessing is the measured model's."""
    producer = store.producer(blessing.id)
    if producer is not None and producer.node == nodes.REFIT:
        measured = producer.inputs.get(_BLESSING, [])
        producer = store.producer(measured[0].id) if measured else None
    return producer
