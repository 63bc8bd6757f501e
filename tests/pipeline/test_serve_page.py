"""docs/tasks/tensorflow-serving.md on a pushed model: the body of its request fits the exact copy's signature."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.pipeline.conftest import ROOT

pytestmark = pytest.mark.e2e
PAGE = (ROOT / "docs" / "tasks" / "tensorflow-serving.md").read_text(encoding="utf-8")


def test_the_request_is_answered_by_the_same_signature(smoke):
    import tensorflow as tf

    body = json.loads(re.findall(r"-d '(\{.*?\})'$", PAGE, flags=re.MULTILINE | re.DOTALL)[0])
    version = str(smoke.first.summary.pushed.version)
    exact = smoke.workspace.serving_dir.with_name(f"{smoke.config.name}-exact") / version
    signature = tf.saved_model.load(str(exact)).signatures[body["signature_name"]]
    specs = signature.structured_input_signature[1]
    # TensorFlow Serving's columnar format: each input by name, all of them.
    assert body["inputs"].keys() == specs.keys()
    outputs = signature(**{name: tf.constant(value, specs[name].dtype) for name, value in body["inputs"].items()})
    shown = re.findall(r'^  "(\w+)": \[', PAGE, flags=re.MULTILINE)
    assert set(outputs) == set(shown) == {"ids", "scores", "count"}
    assert outputs["count"].numpy().tolist() == body["inputs"]["k"] == [3]
    # `recommend` leaves out what the request excludes, and nothing else.
    assert b"181" not in outputs["ids"].numpy()[0, :3]


def test_scann_answers_in_python(smoke, tmp_path):
    (tmp_path / "workspaces/movielens-100k/serving").mkdir(parents=True)
    (tmp_path / "workspaces/movielens-100k/serving/movielens-100k").symlink_to(smoke.workspace.serving_dir)
    [program] = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "'exclude'" in done.stdout
