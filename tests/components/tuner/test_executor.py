"""The Tuner's executor: the folder of a search, and the properties of its best trial."""

import json
import types

import pytest
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.types import standard_artifacts

from components.tuner import executor
from components.tuner.tuner_fn import TUNE
from shortlist.model_files import TRIALS_FILE
from shortlist.records import properties
from tests.components.trainer import tiny_dataset as worlds
from tests.components.trainer.test_run_fn import arguments

RESULTS = {
    "objective": "top_10",
    "best": 2,
    "trials": [
        {"number": 1, "values": {"train.learning_rate": 0.001}, "score": 0.1},
        {"number": 2, "values": {"train.learning_rate": 0.01}, "score": 0.2},
        {"number": 3, "values": {"train.learning_rate": 0.1}, "problem": "too much of it"},
    ],
}


class _Tuner:
    """A finished search."""

    def __init__(self):
        self.searched = []

    def search(self, **kwargs):
        self.searched.append(kwargs)

    def results(self):
        return RESULTS


@pytest.fixture
def searched(tmp_path, monkeypatch):
    """Returns a function that runs the executor with a section `tune`, and returns its artifacts and its folder."""

    def run(tune):
        kinds = {
            "best_hyperparameters": standard_artifacts.HyperParameters,
            "tuner_results": standard_artifacts.TunerResults,
        }
        outputs = {key: [kind()] for key, kind in kinds.items()}
        for key, [artifact] in outputs.items():
            artifact.uri = str(tmp_path / key)
            (tmp_path / key).mkdir(exist_ok=True)
        given = arguments(tmp_path / "inputs")
        config = {**given.custom_config, **worlds.settings().to_json(), TUNE: tune}
        given = FnArgs(
            train_files=given.train_files,
            eval_files=given.eval_files,
            transform_graph_path=given.transform_graph_path,
            custom_config=config,
        )
        folders = []

        def tuner_fn(fn_args):
            folders.append(fn_args.working_dir)
            return types.SimpleNamespace(tuner=_Tuner(), fit_kwargs={})

        monkeypatch.setattr(executor.fn_args_utils, "get_common_fn_args", lambda *_: given)
        monkeypatch.setattr(executor, "extra_inputs", lambda *_: {})
        monkeypatch.setattr(executor.udf_utils, "get_fn", lambda *_: tuner_fn)
        monkeypatch.setattr(executor.executor, "write_best_hyperparameters", lambda *_: None)
        executor.Executor().Do({}, outputs, {})
        [folder] = folders
        return outputs, folder

    return run


def test_properties_have_the_best_trial(searched, tmp_path):
    outputs, _ = searched({"max_trials": 3})
    [best] = outputs["best_hyperparameters"]
    assert json.loads(best.get_string_custom_property(properties.TUNED_VALUES)) == {"train.learning_rate": 0.01}
    assert best.get_string_custom_property("objective") == "top_10"
    assert best.get_float_custom_property("score") == 0.2
    assert (best.get_int_custom_property("trial"), best.get_int_custom_property("trials")) == (2, 3)
    assert json.loads((tmp_path / "tuner_results" / TRIALS_FILE).read_text()) == RESULTS


def test_another_search_does_not_resume_from_these_trials(searched):
    _, first = searched({"max_trials": 3})
    _, same = searched({"max_trials": 3})
    _, other = searched({"max_trials": 3, "epochs": 9})
    assert first == same != other
