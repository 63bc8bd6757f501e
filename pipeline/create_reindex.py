"""The DAG of `run --reindex`, top to bottom: from today's catalogue to a pushed model, without training."""

from __future__ import annotations

from collections.abc import Mapping

from tfx.orchestration import pipeline as tfx_pipeline

from components.data_gate.component import DataGate
from components.refresh.component import Refresh, served_model
from pipeline.checked_table import Sources, checked_table
from pipeline.publication import Candidacy, publish
from pipeline.target import LocalTarget
from shortlist.config.config import Config
from shortlist.engines.arguments import beam_args
from shortlist.workspace import Workspace


def create_reindex(
    config: Config, sources: Sources, workspace: Workspace, served: Mapping[str, int]
) -> tfx_pipeline.Pipeline:
    """Returns the pipeline that gives the served model today's catalogue. No data is read and nothing runs yet.

    It has the name of the config's other pipeline and nodes of the same ids, so that both share cache and lineage.

    Args:
      config: The checked config.
      sources: The inputs; of the tables, only the candidates are needed.
      workspace: The workspace on this machine.
      served: The served model's artifacts, see `lineage.served_model.ServedModel.artifact_ids`.
    """
    target = LocalTarget(workspace)

    # The catalogue: ingested, described, and compared with its schema and with that of the last blessed run.
    schemas = target.schemas({"candidates": sources.schema_files["candidates"]})
    candidates = checked_table("candidates", config.data.candidates, sources, schemas)
    statistics = {"candidates": candidates.statistics}
    before = target.statistics_before(statistics)
    gate = DataGate(
        anomalies={"candidates": candidates.anomalies},
        statistics=statistics,
        before=before.outputs,
        gate=config.data.gate,
        schemas=config.data.schemas,
    )

    # The model of the served version, with its blessing, its windows and its evaluation.
    model = served_model(served)

    # The model's own towers embed the catalogue, new candidates by their features.
    refresh = Refresh(
        model=model.outputs["trained_model"],
        blessing=model.outputs["model_blessing"],
        candidates=candidates.examples,
        table=config.data.candidates,
        gate=config.data.gate.new_candidates,
    )
    # It does not read the gate's report, and would otherwise run on a catalogue that the gate refuses.
    refresh.add_upstream_node(gate)

    # The index is tuned and its recall is gated on the windows that the model was evaluated on.
    publication = publish(
        Candidacy(
            model=refresh.outputs["model"],
            blessing=refresh.outputs["blessing"],
            examples=model.outputs["examples"],
            candidates=candidates.examples,
            evaluation=model.outputs["evaluation"],
            verdict=model.outputs["verdict"],
        ),
        config,
        target,
    )

    return tfx_pipeline.Pipeline(
        pipeline_name=config.name,
        pipeline_root=target.pipeline_root,
        components=[
            *schemas.nodes,
            *candidates.nodes,
            *before.nodes,
            gate,
            model,
            refresh,
            *publication,
        ],
        enable_cache=True,
        beam_pipeline_args=beam_args(config.beam),
    )
