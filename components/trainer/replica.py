"""The training in one process of several: TensorFlow's strategy, and the model in its scope."""

from __future__ import annotations

import pathlib

import tensorflow as tf

from components.trainer import checkpoints, training
from components.trainer.bundle import Inputs, ModelBundle, files_of
from components.trainer.cluster import Cluster
from components.trainer.gpus import check_gpus
from components.trainer.job import Job
from components.trainer.settings import Settings
from components.trainer.team import Team
from shortlist.errors import ConfigError
from shortlist.process.resources import raises_resource_error


def train(job: Job, cluster: Cluster) -> None:
    """Trains until the end, and leaves the last checkpoint and the best weights in the job's folder.

    Raises:
      ConfigError: The machine has too few devices, or the loss cannot be divided among the replicas.
    """
    # The strategy has to be made before any operation runs.
    team = make_team(cluster)
    settings = Settings.from_json(job.settings)
    try:
        settings.train.loss.check_replicas(team.size)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    bundle = ModelBundle.read(settings, inputs_of(job), team)
    targets = int(bundle.corpus.counts.sum())
    with raises_resource_error(pathlib.Path(job.checkpoint_dir)):
        if job.recipe is None:
            files = training.Files(train=files_of(job.train), eval=files_of(job.eval))
            training.fit(
                bundle.model, bundle.reader, files, settings, targets, job.run_dir, job.checkpoint_dir, team=team
            )
        else:
            training.refit(
                bundle.model,
                bundle.reader,
                files_of(job.train),
                settings,
                job.recipe,
                targets,
                job.run_dir,
                job.checkpoint_dir,
                team,
            )


def make_team(cluster: Cluster) -> Team:
    """Returns the replicas: one per process of the cluster and of its GPUs, or one per GPU of this machine.

    Raises:
      ConfigError: There is no cluster, and TensorFlow finds fewer than two GPUs.
    """
    if cluster.addresses:
        return Team(tf.distribute.MultiWorkerMirroredStrategy(), is_chief=cluster.number == 0)
    check_gpus()
    return Team(tf.distribute.MirroredStrategy())


def inputs_of(job: Job) -> Inputs:
    """Returns the locations of the catalogue and of the transform graphs."""
    return Inputs(files_of([job.candidates]), job.candidate_transform, job.window_transform)


def data_sha256(job: Job) -> str:
    """Returns a fingerprint of all files that the training reads, but for its checkpoints."""
    return checkpoints.identity("", [*files_of([*job.train, *job.eval]), *inputs_of(job).files])
