"""Environment variables that must be set before TensorFlow is first imported."""

from __future__ import annotations

import os

_DEFAULTS = {
    # tensorflow-recommenders needs Keras 2; TensorFlow 2.16 brings Keras 3 unless told.
    "TF_USE_LEGACY_KERAS": "1",
    # Errors only; a run logs thousands of lines otherwise.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # oneDNN picks its sums by what the CPU offers, and ends the process where memory runs out; 1 trains faster.
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # A training step has parts to compute side by side (train.loss.parts). To cut each small operation up as well takes
    # longer than it saves: 12,000 targets a second instead of 18,000, on 2 cores.
    "TF_NUM_INTRAOP_THREADS": "1",
    "GRPC_VERBOSITY": "ERROR",
    # ML Metadata's: it tells of each connection to PostgreSQL.
    "GLOG_minloglevel": "2",
}


def prepare() -> None:
    """Sets what this process and its children need, leaving what the user set."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


def of_others() -> dict[str, str]:
    """Returns the environment of a program that is none of Shortlist's: without what has Shortlist's own default."""
    return {name: value for name, value in os.environ.items() if _DEFAULTS.get(name) != value}
