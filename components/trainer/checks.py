"""Checks of `train.strategy` before a run starts: the Trainer may be an hour of other nodes away."""

from __future__ import annotations

import warnings

from components.trainer import process, rendezvous, workers
from shortlist.config.train import Train


def check(section: Train) -> None:
    """Checks that this machine, and the workers of TF_CONFIG, can train with the config's strategy.

    Raises:
      ConfigError: TensorFlow finds too few GPUs for `mirrored`; TF_CONFIG is wrong; a worker does not answer within
        `train.worker_timeout_seconds`, or has other packages or other code.
    """
    if section.strategy == "mirrored":
        with warnings.catch_warnings():
            # TensorFlow imports Google's clients, which warn of Python 3.10's age.
            warnings.filterwarnings("ignore", category=FutureWarning, module=r"google\.")
            # Only here: it imports TensorFlow.
            from components.trainer.gpus import check_gpus

        check_gpus()
    if section.strategy == "multi_worker":
        cluster = workers.chief_cluster(section)
        if cluster is not None:
            rendezvous.probe(cluster, process.code_fingerprints(), section.worker_timeout_seconds)
