"""Environment variables that must be set before TensorFlow is first imported."""

from __future__ import annotations

import os

_DEFAULTS = {
    # tensorflow-recommenders 0.7 needs Keras 2; TensorFlow 2.16 loads Keras 3 by default.
    "TF_USE_LEGACY_KERAS": "1",
    # Errors only: by default, one run logs 4,397 lines.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # oneDNN sums in an order that depends on the CPU, and aborts the process when memory runs out. 1 trains faster.
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # A training step computes its parts in parallel (train.loss.parts). Parallelising each small operation as well is
    # slower: 12,000 targets per second instead of 18,000, on 2 cores.
    "TF_NUM_INTRAOP_THREADS": "1",
    "GRPC_VERBOSITY": "ERROR",
    # ML Metadata logs each connection to PostgreSQL at level 1.
    "GLOG_minloglevel": "2",
}


def prepare() -> None:
    """Sets the variables that this process and its children need; the user's own values stay."""
    for name, value in _DEFAULTS.items():
        # TensorFlow reads them once, at its import. Values that the user set win.
        os.environ.setdefault(name, value)


def external_environment() -> dict[str, str]:
    """Returns the environment for a program that is not Shortlist's: without variables at Shortlist's defaults."""
    return {name: value for name, value in os.environ.items() if _DEFAULTS.get(name) != value}
