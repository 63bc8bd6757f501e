"""Ranks in a catalogue of a million candidates are right, without memory for queries x corpus scores."""

from __future__ import annotations

import json
import subprocess
import sys

_CORPUS, _WIDTH, _QUERIES = 1_000_000, 16, 1024
_MEGABYTE = 2**20
_DENSE_MEGABYTES = _CORPUS * _QUERIES * 4 // _MEGABYTE

# A process of its own: other tests would raise the peak of this one.
_PROGRAM = f"""
import json, resource
import shortlist
import numpy as np, tensorflow as tf
from components.evaluator.ranks import target_ranks

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

random = np.random.default_rng(0)
candidates = random.normal(size=({_CORPUS}, {_WIDTH})).astype(np.float32)
queries = random.normal(size=({_QUERIES}, {_WIDTH})).astype(np.float32)
targets = random.integers(0, {_CORPUS}, {_QUERIES})
corpus = tf.constant(candidates)

def rank(count):
    return target_ranks(queries[:count], corpus, targets[:count], np.zeros([count, 0], np.int64))[0].numpy()

few = rank(8)
before = peak()
many = rank({_QUERIES})
after = peak()
scores = candidates.astype(np.float64) @ queries[:8].astype(np.float64).T
own = scores[targets[:8], np.arange(8)]
print(json.dumps({{
    "grown": after - before,
    "few": few.tolist(),
    "many": many[:8].tolist(),
    "by_hand": (1 + (scores > own).sum(axis=0)).tolist(),
}}))
"""


def test_ranks_are_right_and_no_matrix_of_all_scores_is_made():
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["few"] == found["many"] == found["by_hand"]
    assert found["grown"] < _DENSE_MEGABYTES / 8
