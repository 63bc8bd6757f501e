"""Resolver strategy that finds the earlier run for the comparison of tables."""

from __future__ import annotations

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.common import resolver
from tfx.types import artifact_utils, standard_artifacts

from shortlist.records.nodes import TABLES

_Artifacts = dict[str, list[types.Artifact]]

BLESSINGS = "model_blessing"
_STATISTICS_TYPE = standard_artifacts.ExampleStatistics.TYPE_NAME


class BlessedStatisticsStrategy(resolver.ResolverStrategy):
    """Resolves each table's statistics to those of the last blessed run on other data.

    Runs on the same examples are skipped, for two reasons. Data does not drift from
    itself. Also, a re-run on unchanged data must resolve to the same statistics even
    if this run's model was blessed meanwhile. Otherwise the gate and all later nodes
    would run again.
    """

    def resolve_artifacts(self, store: mlmd.MetadataStore, input_dict: _Artifacts) -> _Artifacts:
        """Follows the lineage of the blessed models, the latest first, back to their tables.

        Args:
          store: The ML Metadata store.
          input_dict: All blessings under `model_blessing`, and the statistics of this run by table name.

        Returns:
          One artifact by table name; an empty list if there is no such run, or if it had no such table.
          `model_blessing` is empty.
        """
        tables = [key for key in input_dict if key != BLESSINGS]
        lineage = Lineage(store)
        now = {
            table: lineage.examples_of_statistics(statistics.id) for table in tables for statistics in input_dict[table]
        }
        empty: _Artifacts = {key: [] for key in input_dict}
        for model_id in blessed_models(input_dict[BLESSINGS]):
            before = lineage.examples_behind_model(model_id)
            if before and before != now:
                found = {table: lineage.statistics(before[table]) for table in tables if table in before}
                return empty | found
        return empty


def blessed_models(blessings: list[types.Artifact]) -> list[int]:
    """Returns the ids of the blessed models, the latest blessed first."""
    # ML Metadata assigns ids in the order of creation.
    latest_first = sorted(blessings, key=lambda artifact: artifact.id, reverse=True)
    return [
        blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY)
        for blessing in latest_first
        if blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == constants.BLESSED_VALUE
    ]


class Lineage:
    """Finds related artifacts over the executions that produced them; cached executions are ignored."""

    def __init__(self, store: mlmd.MetadataStore):
        self._store = store

    def examples_behind_model(self, model_id: int) -> dict[str, int]:
        """Returns the ids of the flat examples by table name; empty if they are unknown."""
        # The Trainer's input `examples` are the windows, whose inputs are the flat tables.
        windows = self._inputs_of_producer(model_id).get("examples")
        return self.tables_of_windows(windows) if windows else {}

    def tables_of_windows(self, windows_id: int) -> dict[str, int]:
        """Returns the ids of the flat examples that windows were made of, by table name."""
        tables = self._inputs_of_producer(windows_id)
        return {table: tables[table] for table in TABLES if table in tables}

    def examples_of_statistics(self, statistics_id: int) -> int | None:
        """Returns the id of the flat examples that statistics describe."""
        return self._inputs_of_producer(statistics_id).get("examples")

    def statistics(self, examples_id: int) -> list[types.Artifact]:
        """Returns a list with the latest statistics of flat examples, or an empty list."""
        readers = [
            event.execution_id
            for event in self._store.get_events_by_artifact_ids([examples_id])
            if event.type == pb.Event.INPUT
        ]
        events = self._store.get_events_by_execution_ids(readers) if readers else []
        written = {event.artifact_id for event in events if event.type == pb.Event.OUTPUT}
        artifacts = self._store.get_artifacts_by_id(sorted(written)) if written else []
        kind = self._store.get_artifact_type(_STATISTICS_TYPE)
        found = [artifact for artifact in artifacts if artifact.type_id == kind.id]
        latest = max(found, key=lambda artifact: artifact.id, default=None)
        if latest is None:
            return []
        return [artifact_utils.deserialize_artifact(kind, latest)]

    def _inputs_of_producer(self, artifact_id: int) -> dict[str, int]:
        """Returns the input artifacts' ids, by input key, of the execution that produced an artifact."""
        producers = [
            event.execution_id
            for event in self._store.get_events_by_artifact_ids([artifact_id])
            if event.type == pb.Event.OUTPUT
        ]
        complete = [
            execution.id
            for execution in self._store.get_executions_by_id(producers)
            # A cached execution has the state CACHED and refers to the same artifact.
            if execution.last_known_state == pb.Execution.COMPLETE
        ]
        if not complete:
            return {}
        events = self._store.get_events_by_execution_ids(complete[:1])
        return {event.path.steps[0].key: event.artifact_id for event in events if event.type == pb.Event.INPUT}
