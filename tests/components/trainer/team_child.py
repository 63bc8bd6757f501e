"""Trains on the tiny dataset as one of several replicas.

usage: python -m tests.components.trainer.team_child JSON
"""

import json
import os
import sys

import numpy as np

import shortlist  # noqa: F401
from components.trainer.cluster import Cluster


def main(job):
    """Trains with each of the settings in turn; the chief writes `<result>-<name>.json` and `.npy`."""
    addresses, index = job.get("addresses", []), job.get("index", 0)
    if addresses:
        os.environ["TF_CONFIG"] = Cluster(tuple(addresses), index).tf_config()
    import tensorflow as tf

    from components.trainer import replica, training
    from components.trainer.settings import Settings
    from components.trainer.team import Team
    from tests.components.trainer import tiny_dataset as worlds

    if addresses:
        team = replica.make_team(Cluster(tuple(addresses), index))
    else:
        [cpu] = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        team = Team(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    assert team.size == 2
    world = worlds.World(**job["world"])
    for name, value in job["settings"].items():
        settings = Settings.from_json(value)
        model, reader, corpus = worlds.untrained(world, settings, team)
        files = training.Files(train=world.windows["train"], eval=world.windows["eval"])
        folder = f"{job['result']}-{name}"
        history = training.fit(
            model, reader, files, settings, int(corpus.counts.sum()), folder, f"{folder}-checkpoints", team=team
        )
        if team.is_chief:
            np.save(f"{folder}.npy", model.embed_candidates().numpy())
            with open(f"{folder}.json", "w", encoding="utf-8") as file:
                json.dump(history, file)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)
