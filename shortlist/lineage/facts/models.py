"""Facts about the nodes that make a model, and about the model that it is compared with."""

from __future__ import annotations

from shortlist.lineage.executions import Artifact, Execution
from shortlist.lineage.facts import verdicts
from shortlist.lineage.facts.wording import join_settings
from shortlist.lineage.settings import hyperparameters
from shortlist.records import artifacts, properties
from shortlist.records.artifacts import BaselineRecord


def describe_tuner(execution: Execution) -> list[str]:
    """Returns the best trial with its values."""
    best = execution.output("best_hyperparameters")
    if best is None:
        return []
    found = best.properties
    score = f"{found.get(properties.OBJECTIVE)} {found.get(properties.SCORE)}"
    return [
        f"trial {found.get(properties.TRIAL)} of {found.get(properties.TRIALS)} was best: {score} on eval",
        join_settings(artifacts.tuned_values_of(best)),
    ]


def describe_trainer(execution: Execution) -> list[str]:
    """Returns the settings of a training, and the weights that it began from."""
    settings = hyperparameters(execution)
    if not settings:
        return []
    model, train = settings.get("model", {}), settings.get("train", {})
    tower, loss = model.get("query_tower") or {}, train.get("loss") or {}
    found = [
        f"{tower.get('kind')} tower, {model.get('embedding_dim')} dimensions, loss {loss.get('kind')}, "
        f"seed {train.get('seed')}"
    ]
    named = {"kind", "seed", "loss", "embedding_dim", "query_tower"}
    for section in (tower, model, loss, train):
        found.append(join_settings({name: value for name, value in section.items() if name not in named}))
    found.append(_beginning(execution.output("model")))
    return [sentence for sentence in found if sentence]


def _beginning(model: Artifact | None) -> str:
    start = artifacts.warm_start_of(model)
    if not start:
        return ""
    if start["reason"]:
        return f"from scratch, since {start['reason']}"
    return (
        f"from the weights of model {start.get('model_id', 'of an earlier run')}; {start['new_candidates']:,} of "
        f"{start['new_candidates'] + start['known_candidates']:,} candidates were new to it"
    )


def describe_baseline(execution: Execution) -> list[str]:
    """Returns what a model was compared with, or the reason why with nothing."""
    record = BaselineRecord.of(execution.output("model"))
    if record is not None and record.skipped:
        return [f"no comparison: {record.reason}"]
    notes = [record.features_changed] if record is not None and record.features_changed else []
    if record is not None and record.catalogue_changed:
        return [f"compared with the latest blessed model in this catalogue: {record.catalogue_changed}", *notes]
    return ["compared with the latest blessed model", *notes]


def describe_refit(execution: Execution) -> list[str]:
    """Returns the counts of a training on all interactions, and the origin of its metrics."""
    refit = artifacts.refit_of(execution.output("model"))
    if not refit:
        return verdicts.blessing_sentences(execution)
    return [
        f"trained on all {refit['targets']:,} interactions, eval and test included, for {refit['steps']:,} steps, "
        "the best number for the measured model",
        f"its metrics are those of model {refit['metrics_of']}, which was trained on train alone and measured by the "
        "Evaluator",
    ]


def describe_refresh(execution: Execution) -> list[str]:
    """Returns the counts of a catalogue that an earlier model embedded, and the origin of its metrics."""
    refresh = artifacts.refresh_of(execution.output("model"))
    if not refresh:
        return verdicts.blessing_sentences(execution)
    return [
        f"{refresh['candidates']:,} candidates embedded by the towers of model {refresh['refresh_of']}: "
        f"{refresh['known']:,} known to it, {refresh['new']:,} new and embedded by their features, "
        f"{refresh['removed']:,} of its own gone",
        "nothing was trained; its metrics are those of the earlier model in the earlier catalogue",
    ]
