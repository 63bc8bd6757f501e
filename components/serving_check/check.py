"""Runs the probe on a model and its exact copy, and collects their problems."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from shortlist.model_files import INDEX_FILE
from shortlist.serving.answer_rules import ServedAnswers, disagreements

TIMEOUT_SECONDS = 900
_PROJECT_ROOT = pathlib.Path(__file__).resolve().parents[2]
_PASSED_VARIABLES = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT")
_PASSED_PREFIXES = ("OPENBLAS_", "OMP_", "MKL_")
# The probe has 64 queries, recall was measured on up to 2,000, so the overlap may be lower by chance.
_OVERLAP_SLACK = 0.05
_OVERLAP_CASES = ("recommend", "examples")
_MAX_PROBLEMS = 10


def check(model_dir: str, exact_dir: str, windows: Sequence[bytes]) -> tuple[list[str], dict[str, Any]]:
    """Checks both models in clean processes.

    Args:
      model_dir: The model to serve.
      exact_dir: Its exact copy, which must not need ScaNN's ops.
      windows: Serialized test windows.

    Returns:
      The problems, and the figures by model: seconds to import and load, ms of the first and of later calls.
    """
    index = probe(model_dir, windows)
    exact = probe(exact_dir, windows)
    problems = [*index["problems"], *(f"exact copy: {problem}" for problem in exact["problems"])]
    if exact.get("has_scann"):
        problems.append("exact copy: it needs ScaNN's ops; it has to load in plain TensorFlow")
    if not problems:
        recall = _recall_at_k(model_dir)
        problems += disagreements(_answers(index), _answers(exact), recall - _OVERLAP_SLACK, _OVERLAP_CASES)
    if len(problems) > _MAX_PROBLEMS:
        problems = [*problems[:_MAX_PROBLEMS], f"and {len(problems) - _MAX_PROBLEMS} more"]
    return problems, {"model": _figures(index), "exact_model": _figures(exact)}


def _recall_at_k(model_dir: str) -> float:
    import tensorflow as tf

    with tf.io.gfile.GFile(os.path.join(model_dir, INDEX_FILE)) as file:
        return float(json.loads(file.read())["recall_at_k"])


def probe(model_dir: str, windows: Sequence[bytes], timeout_seconds: float = TIMEOUT_SECONDS) -> dict[str, Any]:
    """Returns the output of `probe.py` for one model; a crash and a timeout are reported as problems."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as directory:
        windows_path, answers_path = os.path.join(directory, "windows"), os.path.join(directory, "answers.json")
        with tf.io.TFRecordWriter(windows_path) as writer:
            for window in windows:
                writer.write(window)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "components.serving_check.probe", model_dir, windows_path, answers_path],
                # `python -m` puts the working directory on the import path, so it must not have packages.
                cwd=directory,
                env=_clean_environment(),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_seconds,
            )
        except subprocess.TimeoutExpired:
            return {"problems": [f"no answer within {timeout_seconds:.0f} s"]}
        if done.returncode:
            return {"problems": [_crash(done.returncode, done.stderr)]}
        return dict(json.loads(pathlib.Path(answers_path).read_text(encoding="utf-8")))


def _clean_environment() -> dict[str, str]:
    """Returns the environment of a server without Shortlist, with the path to the probe."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_VARIABLES or name.startswith(_PASSED_PREFIXES)
    }
    # Shortlist's packages change these settings of TensorFlow if they are not set; here they have TensorFlow's
    # defaults.
    return passed | {
        "PYTHONPATH": str(_PROJECT_ROOT),
        "TF_USE_LEGACY_KERAS": "0",
        "TF_ENABLE_ONEDNN_OPTS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "-1"),
    }


def _crash(return_code: int, stderr: str) -> str:
    # A negative code is the number of the signal, for example of a segmentation fault in ScaNN.
    if return_code < 0:
        return f"the model crashed the process that loaded it ({signal.Signals(-return_code).name})"
    last = next((line.strip() for line in reversed(stderr.splitlines()) if line.strip()), "nothing on stderr")
    return f"the process that loaded the model failed: {last[:500]}"


def _answers(output: dict[str, Any]) -> dict[str, ServedAnswers]:
    return {name: ServedAnswers(**answers) for name, answers in output["answers"].items()}


def _figures(output: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in output.items() if name.endswith(("_seconds", "_ms"))}
