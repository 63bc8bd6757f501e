"""The DAG, top to bottom: from files to a pushed model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfx import components as standard
from tfx.dsl.components.base import base_component
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.proto import transform_pb2
from tfx.types import channel

from components.answers.component import Answers
from components.baseline.component import Baseline
from components.data_gate.component import DataGate
from components.evaluator.component import RankEvaluator
from components.refit.component import Refit
from components.trainer.component import RetrievalTrainer
from components.transform import preprocessing
from components.tuner.component import RetrievalTuner
from components.windows.component import Windows
from pipeline.checked_table import CheckedTable, Sources, checked_table
from pipeline.publication import Candidacy, publish
from pipeline.target import ExternalInputs, LocalTarget, Target
from shortlist import fingerprints
from shortlist.config.config import Config
from shortlist.config.features import Feature
from shortlist.config.table import Table
from shortlist.engines.arguments import beam_args
from shortlist.records import nodes
from shortlist.workspace import Workspace

_PREPROCESSING = preprocessing.__name__


@dataclasses.dataclass(frozen=True)
class _FinalModel:
    """The model that is indexed, and its verdict."""

    nodes: list[base_component.BaseComponent | Any]
    """The refit's nodes; empty if the measured model itself is indexed."""
    model: channel.BaseChannel
    blessing: channel.BaseChannel


def create_pipeline(config: Config, sources: Sources, where: Workspace | Target) -> tfx_pipeline.Pipeline:
    """Returns the pipeline of a config. No data is read and nothing runs yet.

    Args:
      config: The checked config.
      sources: The pipeline's inputs.
      where: The workspace on this machine, or another target to run on.
    """
    target = LocalTarget(where) if isinstance(where, Workspace) else where

    # The expected columns, types and domains of each table.
    schemas = target.schemas(sources.schema_files)

    # Each table alone: ingested, described, and compared with its schema.
    interactions = checked_table("interactions", config.data.interactions, sources, schemas)
    candidates = checked_table("candidates", config.data.candidates, sources, schemas)
    tables: dict[str, CheckedTable] = {"interactions": interactions, "candidates": candidates}
    if config.data.queries:
        tables["queries"] = checked_table("queries", config.data.queries, sources, schemas)

    # Statistics of the last blessed run on other data than today's, to compare volume and drift with.
    statistics = {name: table.statistics for name, table in tables.items()}
    before = target.statistics_before(statistics)

    # ExampleValidator only reports anomalies. This node stops the run, and also checks volume and drift.
    gate = DataGate(
        anomalies={name: table.anomalies for name, table in tables.items()},
        statistics=statistics,
        before=before.outputs,
        gate=config.data.gate,
        schemas=config.data.schemas,
    )

    # Joins and orders the tables and splits them without leakage.
    windows = _windows(config, tables, gate, sources)

    # Query vocabularies and candidate counts, from the train split alone.
    transform = _transform(
        nodes.TRANSFORM,
        windows.outputs["examples"],
        windows.outputs["schema"],
        "queries_preprocessing_fn",
        config.data.queries,
        analyze="train",
        custom_config=_of_queries(config),
    )

    # Attribute vocabularies, from the catalogue. A second Transform, since one analyses a single input only.
    candidate_transform = _transform(
        nodes.CANDIDATE_TRANSFORM,
        candidates.examples,
        candidates.schema,
        "candidates_preprocessing_fn",
        config.data.candidates,
        analyze="all",
    )
    # It does not read the windows, and would otherwise run on tables that the gate refuses.
    candidate_transform.add_upstream_node(gate)

    trained_on = {
        "examples": windows.outputs["examples"],
        "schema": windows.outputs["schema"],
        "transform_graph": transform.outputs["transform_graph"],
        "candidates": candidates.examples,
        "candidate_transform_graph": candidate_transform.outputs["transform_graph"],
    }

    # With `tune.enabled`: searches for better settings than the config's, on eval and within a time limit.
    tuner = RetrievalTuner(**trained_on, config=config) if config.tune.enabled else None

    # With `train.warm_start`: the latest blessed model of other data, from whose weights the training begins. A search
    # compares trainings from scratch.
    earlier_model = ExternalInputs([], {})
    if config.has_warm_start:
        earlier_model = target.warm_start(windows.outputs["examples"])

    # The two towers.
    trainer = RetrievalTrainer(
        **trained_on,
        config=config,
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner else None,
        source_model=earlier_model.outputs.get("model"),
    )

    # The latest blessed model. Its own towers embed today's catalogue, so that both models rank the same corpus.
    blessed_model = target.baseline(trainer.outputs["model"])
    baseline = Baseline(
        model=trainer.outputs["model"],
        baseline=blessed_model.outputs.get("model"),
        candidates=candidates.examples,
    )

    # FactorizedTopK on held-out targets. Blesses a model only if it beats popularity and keeps up with the baseline.
    evaluator = RankEvaluator(
        examples=windows.outputs["examples"],
        schema=windows.outputs["schema"],
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        evaluate=config.evaluate,
        candidates=candidates.examples,
        target_slices=config.target_slices,
    )

    # The model's recommendations for test queries, for the report. They gate nothing: an unblessed model has them too.
    answers = Answers(
        model=trainer.outputs["model"],
        examples=windows.outputs["examples"],
        candidates=candidates.examples,
        table=config.data.candidates,
        report=config.report,
        exclude_seen=not config.evaluate.repeat_consumption,
    )

    # With `train.refit`: trains the blessed recipe again on all data. The verdict stays that of the measured model.
    final = _FinalModel([], trainer.outputs["model"], evaluator.outputs["blessing"])
    if config.train.refit:
        final = _refitted(config, tables, gate, sources, candidate_transform, final, earlier_model.outputs.get("model"))

    # The served index with its exact copy, their check in a clean process, and the push.
    publication = publish(
        Candidacy(
            model=final.model,
            blessing=final.blessing,
            examples=windows.outputs["examples"],
            candidates=candidates.examples,
            evaluation=evaluator.outputs["evaluation"],
            verdict=evaluator.outputs["blessing"] if config.train.refit else None,
        ),
        config,
        target,
    )

    return tfx_pipeline.Pipeline(
        pipeline_name=config.name,
        pipeline_root=target.pipeline_root,
        components=[
            *schemas.nodes,
            *(node for table in tables.values() for node in table.nodes),
            *before.nodes,
            gate,
            windows,
            transform,
            candidate_transform,
            *([tuner] if tuner else []),
            *earlier_model.nodes,
            trainer,
            *blessed_model.nodes,
            baseline,
            evaluator,
            answers,
            *final.nodes,
            *publication,
        ],
        enable_cache=True,
        beam_pipeline_args=beam_args(config.beam),
    )


def _windows(
    config: Config,
    tables: dict[str, CheckedTable],
    gate: DataGate,
    sources: Sources,
    everything_is_train: bool = False,
) -> Windows:
    queries = tables.get("queries")
    return Windows(
        interactions=tables["interactions"].examples,
        candidates=tables["candidates"].examples,
        queries=queries.examples if queries else None,
        queries_schema=queries.schema if queries else None,
        gate=gate.outputs["report"],
        data=config.data,
        interactions_sha256=sources.content_sha256["interactions"],
        everything_is_train=everything_is_train,
        features=config.interaction_features,
    )


def _refitted(
    config: Config,
    tables: dict[str, CheckedTable],
    gate: DataGate,
    sources: Sources,
    candidate_transform: standard.Transform,
    measured: _FinalModel,
    source_model: channel.BaseChannel | None,
) -> _FinalModel:
    """Returns the measured model trained again on all data, with its own windows, vocabularies and counts.

    The measured model's nodes cannot be reused: their vocabularies and counts must not include held-out rows.
    """
    candidates = tables["candidates"]
    windows = _windows(config, tables, gate, sources, everything_is_train=True).with_id(nodes.REFIT_WINDOWS)
    transform = _transform(
        nodes.REFIT_TRANSFORM,
        windows.outputs["examples"],
        windows.outputs["schema"],
        "queries_preprocessing_fn",
        config.data.queries,
        analyze="train",
        custom_config=_of_queries(config),
    )
    refit = Refit(
        examples=windows.outputs["examples"],
        schema=windows.outputs["schema"],
        transform_graph=transform.outputs["transform_graph"],
        candidates=candidates.examples,
        candidate_transform_graph=candidate_transform.outputs["transform_graph"],
        measured_model=measured.model,
        blessing=measured.blessing,
        source_model=source_model,
    )
    return _FinalModel([windows, transform, refit], refit.outputs["model"], refit.outputs["blessing"])


def _transform(
    node_id: str,
    examples: channel.BaseChannel,
    schema: channel.BaseChannel,
    function: str,
    table: Table | None,
    analyze: str,
    custom_config: Mapping[str, Any] | None = None,
) -> standard.Transform:
    features = table.features if table else {}
    # Nothing is materialised: the trainer applies the graph itself, as the served model does.
    return standard.Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn=f"{_PREPROCESSING}.{function}",
        splits_config=transform_pb2.SplitsConfig(analyze=[analyze], transform=[]),
        materialize=False,
        disable_analyzer_cache=True,
        disable_statistics=True,
        custom_config={
            "features": _dump(features),
            **(custom_config or {}),
            # The cache key has the name of the function only: without the hash, changed code would not run.
            "code_sha256": fingerprints.code_sha256(_PREPROCESSING),
        },
    ).with_id(node_id)


def _of_queries(config: Config) -> dict[str, Any]:
    """Returns the arguments of the preprocessing function of queries that depend on other sections."""
    return {
        "interaction_features": _dump(config.interaction_features.read),
        "query_ids": config.needs_query_ids,
    }


def _dump(features: Mapping[str, Feature]) -> dict[str, Any]:
    return {name: feature.model_dump(mode="json") for name, feature in features.items()}
