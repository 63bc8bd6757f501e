"""Choice of the model that a training begins from, in pipelines of TFX with stand-ins for the other nodes."""

import ml_metadata as mlmd
import pytest
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.local import local_dag_runner

from components.trainer.component import latest_blessed_before
from tests.components.trainer.warm_start import fake_nodes


class Days:
    """Runs the pipeline day by day, and reads the model of each."""

    def __init__(self, folder):
        self._metadata = metadata.sqlite_metadata_connection_config(str(folder / "metadata.sqlite"))
        self._root = str(folder / "root")

    def run(self, day, blessed=1, seed=1, setting=1):
        """Returns (id of the model, id of the model that it began from, whether it came from the cache)."""
        gen = fake_nodes.FakeGen(content=day).with_id("InteractionsGen")
        windows = fake_nodes.FakeWindows(interactions=gen.outputs["examples"], setting=setting).with_id("Windows")
        earlier = latest_blessed_before(windows.outputs["examples"])
        trainer = fake_nodes.FakeTrainer(
            examples=windows.outputs["examples"], seed=seed, source_model=earlier.outputs["model"]
        ).with_id("Trainer")
        evaluator = fake_nodes.FakeEvaluator(model=trainer.outputs["model"], blessed=blessed).with_id("Evaluator")
        local_dag_runner.LocalDagRunner().run(
            tfx_pipeline.Pipeline(
                pipeline_name="fake",
                pipeline_root=self._root,
                components=[gen, windows, earlier, trainer, evaluator],
                enable_cache=True,
                metadata_connection_config=self._metadata,
            )
        )
        store = mlmd.MetadataStore(self._metadata)
        [kind] = [kind for kind in store.get_execution_types() if kind.name.endswith("FakeTrainer")]
        execution = max(store.get_executions_by_type(kind.name), key=lambda found: found.id)
        events = store.get_events_by_execution_ids([execution.id])
        [model] = store.get_artifacts_by_id(
            [event.artifact_id for event in events if event.path.steps[0].key == "model"]
        )
        cached = execution.last_known_state == mlmd.proto.Execution.CACHED
        return model.id, model.custom_properties["source"].int_value, cached


@pytest.fixture
def days(tmp_path):
    return Days(tmp_path)


def test_each_day_begins_from_the_latest_blessed_model_of_another_day(days):
    monday, source, _ = days.run("monday")
    assert source == 0
    # Its own blessing must not make it its own beginning.
    assert days.run("monday") == (monday, 0, True)
    tuesday, source, _ = days.run("tuesday", blessed=0)
    assert source == monday
    wednesday, source, _ = days.run("wednesday")
    assert source == monday
    assert days.run("wednesday") == (wednesday, monday, True)
    # Nor must another model of the same day, whatever its settings.
    again, source, cached = days.run("wednesday", seed=2, setting=2)
    assert (source, cached) == (monday, False)
    thursday, source, _ = days.run("thursday")
    assert source == again
    assert len({monday, tuesday, wednesday, again, thursday}) == 5
