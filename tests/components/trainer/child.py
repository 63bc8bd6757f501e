"""Trains on the tiny dataset in a separate process, which a test can kill or limit in memory.

usage: python -m tests.components.trainer.child JSON
"""

import json
import pathlib
import re
import resource
import sys

import numpy as np

from components.trainer import run_state, training
from components.trainer.settings import Settings
from shortlist.process.resources import raises_resource_error
from tests.components.trainer import tiny_dataset as worlds


def main(job):
    """Trains, then writes `history` and the candidates' embeddings."""
    world = worlds.World(**job["world"])
    settings = Settings.from_json(job["settings"])
    run_state.SAVE_EVERY_SECONDS = job["save_every_seconds"]
    model, reader, corpus = worlds.assemble(world, settings)
    files = training.Files(train=world.windows["train"], eval=world.windows["eval"])
    targets = int(corpus.counts.sum())
    if job.get("more_megabytes"):
        now = int(re.search(r"VmSize:\s+(\d+) kB", pathlib.Path("/proc/self/status").read_text())[1]) * 1024
        limit = now + job["more_megabytes"] * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with raises_resource_error(pathlib.Path(job["run_dir"])):
        history = training.fit(model, reader, files, settings, targets, job["run_dir"], job["checkpoint_dir"])
    np.save(f"{job['result']}.npy", model.embed_candidates().numpy())
    with open(job["result"], "w", encoding="utf-8") as file:
        json.dump(history, file)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
