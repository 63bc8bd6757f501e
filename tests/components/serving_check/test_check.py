"""Real processes that load real models, good ones and broken ones."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from components.indexer import queries
from components.serving_check import check
from shortlist.model_files import CANDIDATES_FILE
from tests.components.indexer import stand_in
from tests.components.serving_check import broken

SIZE = 40
K = 10
PYTHON = sys.executable


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("serving_check")


@pytest.fixture(scope="module")
def trained_dir(root):
    return stand_in.save_stand_in(root / "trained", SIZE)


@pytest.fixture(scope="module")
def model_dirs(root, trained_dir):
    tags = [["a"] if row % 3 else [] for row in range(SIZE)]
    years = [float(row) if row % 4 else None for row in range(SIZE)]
    path = stand_in.write_catalogue(root / "candidates.parquet", stand_in.candidate_ids(SIZE), tags, years)
    return stand_in.save_both_models(root, trained_dir, K, 8, 15, path)


@pytest.fixture(scope="module")
def windows(root):
    stand_in.write_windows(root / "windows", stand_in.candidate_ids(SIZE), rows=12, splits=("test",))
    return queries.sample_windows(str(root / "windows" / "Split-test"), 12)


@pytest.fixture
def in_this_process(monkeypatch):
    """Runs the probe without the 10 s that a clean process takes; its input and output stay the same."""

    def run(command, *, cwd, env, **_):
        from components.serving_check import probe

        assert command[1:3] == ["-m", "components.serving_check.probe"]
        try:
            probe.main(*command[3:])
        except Exception as error:
            return subprocess.CompletedProcess(command, 1, "", f"Traceback\n{type(error).__name__}: {error}\n")
        # Which ops this process has loaded says nothing of the model.
        answers = pathlib.Path(command[-1])
        answers.write_text(json.dumps(json.loads(answers.read_text()) | {"has_scann": False}))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(check.subprocess, "run", run)


def test_good_models_pass_in_clean_processes(model_dirs, windows):
    problems, figures = check.check(*model_dirs, windows)
    assert problems == []
    names = {"import_seconds", "load_seconds", "first_call_ms", "p50_ms", "p99_ms"}
    assert set(figures) == {"model", "exact_model"}
    for measured in figures.values():
        assert set(measured) == names
        assert all(value > 0 for value in measured.values())


def test_an_exact_copy_that_needs_scann_is_refused(model_dirs, windows, monkeypatch):
    output = {"problems": [], "answers": {}, "has_scann": True}
    monkeypatch.setattr(check, "probe", lambda model_dir, windows: output)
    problems, _ = check.check(*model_dirs, windows)
    assert problems == ["exact copy: it needs ScaNN's ops; it has to load in plain TensorFlow"]


@pytest.mark.parametrize(
    ("index_class", "expected"),
    [
        (broken.Careless, "serving_default: an id is in the answer that is excluded"),
        (broken.Repeating, "serving_default: an id is in the answer twice"),
        (broken.NotANumber, "serving_default: a score is not finite"),
        (broken.Raising, "the process that loaded the model failed: "),
    ],
)
def test_a_broken_model_is_a_reason(index_class, expected, root, trained_dir, windows, in_this_process):
    path = broken.save(trained_dir, root, index_class, K)
    problems = check.probe(path, windows)["problems"]
    assert any(problem.startswith(expected) for problem in problems), problems


@pytest.mark.parametrize("attribute", ["tags", "year"])
def test_a_model_that_ignores_a_filter_is_refused(attribute, model_dirs, windows, tmp_path, in_this_process):
    # The catalogue's values of another candidate: the model then filters by others than it says.
    shutil.copytree(model_dirs[1], tmp_path / "model")
    path = tmp_path / "model" / CANDIDATES_FILE
    table = pq.read_table(path)
    position = table.column_names.index(f"attribute_{attribute}")
    column = table.column(position).combine_chunks()
    moved = pa.concat_arrays([column[1:], column[:1]])
    pq.write_table(table.set_column(position, table.schema.field(position), moved), path)
    problems = check.probe(str(tmp_path / "model"), windows)["problems"]
    assert problems
    assert all(problem.startswith(f"filter by {attribute}: ") for problem in problems), problems


def test_a_model_without_a_signature_is_a_reason(root, trained_dir, windows, in_this_process):
    path = root / "bare"
    trained = tf.saved_model.load(str(trained_dir))
    tf.saved_model.save(trained, str(path), {"query_embedding": trained.signatures["query_embedding"]})
    (path / "assets.extra").mkdir(exist_ok=True)
    (path / "assets.extra" / "index.json").write_text(json.dumps({"kind": "brute_force"}))
    problems, _ = check.check(str(path), str(path), windows)
    lacks = (
        "the model lacks the signatures ['candidate_embedding', 'examples', 'recommend', 'recommend_filtered', "
        "'serving_default', 'similar']"
    )
    assert problems == [lacks, f"exact copy: {lacks}"]


@pytest.mark.parametrize("missing", ["saved_model.pb", "assets.extra/index.json"])
def test_a_missing_file_is_a_reason(missing, model_dirs, windows, tmp_path, in_this_process):
    shutil.copytree(model_dirs[1], tmp_path / "model")
    (tmp_path / "model" / missing).unlink()
    problems, _ = check.check(str(tmp_path / "model"), model_dirs[1], windows)
    assert len(problems) == 1
    assert problems[0].startswith("the process that loaded the model failed: ")


def test_models_that_answer_differently_are_refused(model_dirs, windows, monkeypatch):
    scores = {"model": [2.0, 1.0], "exact": [2.0, 1.5]}
    answers = {
        name: {"recommend": {"ids": [["a", "b"]], "scores": [best], "count": [2]}} for name, best in scores.items()
    }

    def probe(model_dir, windows):
        return {"problems": [], "answers": answers["model" if model_dir == model_dirs[0] else "exact"]}

    monkeypatch.setattr(check, "probe", probe)
    problems, _ = check.check(*model_dirs, windows)
    assert problems == ["recommend: the index and its exact copy score the same candidate differently"]


def test_a_long_list_of_problems_is_cut(model_dirs, windows, monkeypatch):
    monkeypatch.setattr(check, "probe", lambda model_dir, windows: {"problems": list("abcdefgh"), "answers": {}})
    problems, _ = check.check(*model_dirs, windows)
    assert problems == [*"abcdefgh", "exact copy: a", "exact copy: b", "and 6 more"]


def stubborn(tmp_path, monkeypatch, source):
    """Runs another script than the probe in the clean process."""
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\nexec {PYTHON} -c '{source}'\n")
    script.chmod(0o755)
    monkeypatch.setattr(check.sys, "executable", str(script))


def test_a_crash_is_a_reason_with_its_signal(tmp_path, monkeypatch, windows):
    stubborn(tmp_path, monkeypatch, f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})")
    problems, figures = check.check("model", "exact", windows)
    crash = "the model crashed the process that loaded it (SIGSEGV)"
    assert problems == [crash, f"exact copy: {crash}"]
    assert figures == {"model": {}, "exact_model": {}}


def test_a_failure_is_a_reason_with_its_last_line(tmp_path, monkeypatch, windows):
    stubborn(tmp_path, monkeypatch, 'raise SystemExit("one\\nthe cause\\n \\n")')
    assert check.probe("model", windows)["problems"] == ["the process that loaded the model failed: the cause"]
    stubborn(tmp_path, monkeypatch, "raise SystemExit(3)")
    assert check.probe("model", windows)["problems"] == ["the process that loaded the model failed: nothing on stderr"]


def test_no_end_in_time_is_a_reason(tmp_path, monkeypatch, windows):
    stubborn(tmp_path, monkeypatch, "import time; time.sleep(60)")
    assert check.probe("model", windows, timeout_seconds=1)["problems"] == ["no answer within 1 s"]


def test_the_process_is_clean(monkeypatch):
    monkeypatch.setenv("SHORTLIST_DATA_DIR", "somewhere")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    environment = check._clean_environment()
    assert "SHORTLIST_DATA_DIR" not in environment
    assert pathlib.Path(environment["PYTHONPATH"], "components").is_dir()
    assert environment["TF_USE_LEGACY_KERAS"] == "0"
    assert environment["PATH"] == os.environ["PATH"]
