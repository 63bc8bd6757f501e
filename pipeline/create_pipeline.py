"""The DAG, top to bottom: from files to a pushed model."""

from __future__ import annotations

import dataclasses
import pathlib
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
from components.indexer.component import Indexer
from components.pusher.component import VersionPusher
from components.refit.component import Refit
from components.serving_check.component import ServingCheck
from components.table_example_gen.component import TableExampleGen
from components.trainer.component import RetrievalTrainer
from components.transform import preprocessing
from components.tuner.component import RetrievalTuner
from components.windows.component import Windows
from pipeline.target import ExternalInputs, LocalTarget, Target, Text
from shortlist import fingerprints
from shortlist.config.config import Config
from shortlist.config.table import Table, TableName
from shortlist.engines.arguments import beam_args
from shortlist.records import nodes
from shortlist.tables.spec import Kind, Unit
from shortlist.workspace import Workspace

_PREPROCESSING = preprocessing.__name__


@dataclasses.dataclass(frozen=True)
class Sources:
    """What the pipeline reads, pinned by content so that the cache sees every change."""

    data_root: Text
    """Where relative data paths start; may be a URI that Beam opens."""
    content_sha256: Mapping[str, Text]
    """Table name to the fingerprint of its files."""
    schema_files: Mapping[TableName, pathlib.Path]
    """Table name to its schema, at a path that changes with the content."""
    timestamp_unit: Unit
    """Of the interactions' timestamp, as the preflight found it."""


@dataclasses.dataclass(frozen=True)
class _CheckedTable:
    """One input table after ingestion, with what is known of it."""

    nodes: list[base_component.BaseComponent | Any]
    examples: channel.BaseChannel
    statistics: channel.BaseChannel
    schema: channel.BaseChannel
    anomalies: channel.BaseChannel


@dataclasses.dataclass(frozen=True)
class _Final:
    """The model that is indexed, and its verdict."""

    nodes: list[base_component.BaseComponent | Any]
    """What makes it of the measured model."""
    model: channel.BaseChannel
    blessing: channel.BaseChannel


def create_pipeline(config: Config, sources: Sources, where: Workspace | Target) -> tfx_pipeline.Pipeline:
    """Returns the pipeline of a config; nothing is read or run yet.

    Args:
      config: The checked config.
      sources: What it reads.
      where: The workspace on this machine, or another place to run in.
    """
    place = LocalTarget(where) if isinstance(where, Workspace) else where

    # What the tables may hold.
    schemas = place.schemas(sources.schema_files)

    # Each table alone: ingested, described, and compared with its schema.
    interactions = _checked_table("interactions", config.data.interactions, sources, schemas)
    candidates = _checked_table("candidates", config.data.candidates, sources, schemas)
    queries = _checked_table("queries", config.data.queries, sources, schemas) if config.data.queries else None

    tables: dict[str, _CheckedTable] = {"interactions": interactions, "candidates": candidates}
    if queries is not None:
        tables["queries"] = queries

    # What the tables were when a model was last blessed, on other data than today's.
    statistics = {name: table.statistics for name, table in tables.items()}
    before = place.statistics_before(statistics)

    # ExampleValidator only reports; this stops the run, also for what moved too far since then.
    gate = DataGate(
        anomalies={name: table.anomalies for name, table in tables.items()},
        statistics=statistics,
        before=before.outputs,
        gate=config.data.gate,
        schemas=config.data.schemas,
    )

    # Joins and orders the tables and splits them without leakage.
    windows = Windows(
        interactions=interactions.examples,
        candidates=candidates.examples,
        queries=queries.examples if queries else None,
        queries_schema=queries.schema if queries else None,
        gate=gate.outputs["report"],
        data=config.data,
        interactions_sha256=sources.content_sha256["interactions"],
    )

    # Query vocabularies and candidate counts, from the train split alone.
    transform = _transform(
        nodes.TRANSFORM,
        windows.outputs["examples"],
        windows.outputs["schema"],
        "queries_preprocessing_fn",
        config.data.queries,
        analyze="train",
    )

    # Attribute vocabularies, from the catalogue: it holds no interactions.
    candidate_transform = _transform(
        nodes.CANDIDATE_TRANSFORM,
        candidates.examples,
        candidates.schema,
        "candidates_preprocessing_fn",
        config.data.candidates,
        analyze="all",
    )
    candidate_transform.add_upstream_node(gate)

    trained_on = {
        "examples": windows.outputs["examples"],
        "schema": windows.outputs["schema"],
        "transform_graph": transform.outputs["transform_graph"],
        "candidates": candidates.examples,
        "candidate_transform_graph": candidate_transform.outputs["transform_graph"],
    }

    # Better settings than the config's, if they are searched for: by eval, in a given time.
    tuner = RetrievalTuner(**trained_on, config=config) if config.tune.enabled else None

    # The two towers.
    trainer = RetrievalTrainer(
        **trained_on,
        config=config,
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner else None,
    )

    # What the new model has to match: the latest blessed one, which its own towers put before today's catalogue.
    blessed_model = place.baseline(trainer.outputs["model"])
    baseline = Baseline(
        model=trainer.outputs["model"],
        baseline=blessed_model.outputs.get("model"),
        candidates=candidates.examples,
    )

    # FactorizedTopK on held-out targets; blesses only what beats popularity and the baseline.
    evaluator = RankEvaluator(
        examples=windows.outputs["examples"],
        schema=windows.outputs["schema"],
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        evaluate=config.evaluate,
        candidates=candidates.examples,
        target_slices=config.target_slices,
    )

    # What it answers to test queries, blessed or not, for the report.
    answers = Answers(
        model=trainer.outputs["model"],
        examples=windows.outputs["examples"],
        candidates=candidates.examples,
        table=config.data.candidates,
        report=config.report,
        exclude_seen=not config.evaluate.repeat_consumption,
    )

    # Where the config asks for it, the blessed recipe once more on everything; the verdict stays the measured model's.
    final = _Final([], trainer.outputs["model"], evaluator.outputs["blessing"])
    if config.train.refit:
        final = _refitted(config, tables, gate, sources, candidate_transform, final)

    # The index that is served, its exact twin, and the recall of the one against the other.
    indexer = Indexer(
        model=final.model,
        blessing=final.blessing,
        examples=windows.outputs["examples"],
        index=config.index,
        exclude_seen=not config.evaluate.repeat_consumption,
    )

    # Loads the export in a clean process and questions it.
    serving_check = ServingCheck(
        model=indexer.outputs["model"],
        exact_model=indexer.outputs["exact_model"],
        blessing=indexer.outputs["blessing"],
        examples=windows.outputs["examples"],
    )

    # Both twins in one atomic step, under a version that was never used.
    pusher = VersionPusher(
        model=indexer.outputs["model"],
        exact_model=indexer.outputs["exact_model"],
        model_blessing=indexer.outputs["blessing"],
        infra_blessing=serving_check.outputs["blessing"],
        serving_dir=place.serving_dir,
        keep_versions=config.push.keep_versions,
    )

    return tfx_pipeline.Pipeline(
        pipeline_name=config.name,
        pipeline_root=place.pipeline_root,
        components=[
            *schemas.nodes,
            *(node for table in tables.values() for node in table.nodes),
            *before.nodes,
            gate,
            windows,
            transform,
            candidate_transform,
            *([tuner] if tuner else []),
            trainer,
            *blessed_model.nodes,
            baseline,
            evaluator,
            answers,
            *final.nodes,
            indexer,
            serving_check,
            pusher,
        ],
        enable_cache=True,
        beam_pipeline_args=beam_args(config.beam),
    )


def _checked_table(name: Kind, table: Table, sources: Sources, schemas: ExternalInputs) -> _CheckedTable:
    gen = TableExampleGen(name, table, sources.data_root, sources.content_sha256[name], sources.timestamp_unit)
    statistics = standard.StatisticsGen(examples=gen.outputs["examples"]).with_id(nodes.statistics(name))
    validator = standard.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schemas.outputs[name]
    ).with_id(nodes.validator(name))
    return _CheckedTable(
        nodes=[gen, statistics, validator],
        examples=gen.outputs["examples"],
        statistics=statistics.outputs["statistics"],
        schema=schemas.outputs[name],
        anomalies=validator.outputs["anomalies"],
    )


def _refitted(
    config: Config,
    tables: dict[str, _CheckedTable],
    gate: DataGate,
    sources: Sources,
    candidate_transform: standard.Transform,
    measured: _Final,
) -> _Final:
    """Returns the measured model trained once more, on windows, vocabularies and counts of its own.

    What the measured model saw must not know of held-out rows, so that none of its nodes can serve here.
    """
    interactions, candidates, queries = tables["interactions"], tables["candidates"], tables.get("queries")
    windows = Windows(
        interactions=interactions.examples,
        candidates=candidates.examples,
        queries=queries.examples if queries else None,
        queries_schema=queries.schema if queries else None,
        gate=gate.outputs["report"],
        data=config.data,
        interactions_sha256=sources.content_sha256["interactions"],
        everything_is_train=True,
    ).with_id(nodes.REFIT_WINDOWS)
    transform = _transform(
        nodes.REFIT_TRANSFORM,
        windows.outputs["examples"],
        windows.outputs["schema"],
        "queries_preprocessing_fn",
        config.data.queries,
        analyze="train",
    )
    refit = Refit(
        examples=windows.outputs["examples"],
        schema=windows.outputs["schema"],
        transform_graph=transform.outputs["transform_graph"],
        candidates=candidates.examples,
        candidate_transform_graph=candidate_transform.outputs["transform_graph"],
        measured_model=measured.model,
        blessing=measured.blessing,
    )
    return _Final([windows, transform, refit], refit.outputs["model"], refit.outputs["blessing"])


def _transform(
    node_id: str,
    examples: channel.BaseChannel,
    schema: channel.BaseChannel,
    function: str,
    table: Table | None,
    analyze: str,
) -> standard.Transform:
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
            "features": {
                name: feature.model_dump(mode="json") for name, feature in (table.features if table else {}).items()
            },
            "code_sha256": fingerprints.code_sha256(_PREPROCESSING),
        },
    ).with_id(node_id)
