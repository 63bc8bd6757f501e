"""Clustered unit vectors, and the exact answers to the queries."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

DIM = 64
K = 100
EXCLUSIONS = 200
QUERIES = 600
# Clusters of 100 candidates, whose spread is 0.6 of the distance between centres per dimension: at 200,000 candidates
# ScaNN searches about 15% of its leaves for a recall@100 of 0.99.
_CLUSTER_SIZE = 100
_SPREAD = 0.6


@dataclasses.dataclass(frozen=True)
class Vectors:
    """One size of the benchmark, in files, so that each engine runs in a process of its own."""

    folder: pathlib.Path

    @property
    def candidates(self) -> np.ndarray:
        """[num_candidates, 64] float32 unit vectors."""
        return _read(self.folder / "candidates.npy")

    @property
    def queries(self) -> np.ndarray:
        """[600, 64] float32 unit vectors of the same distribution."""
        return _read(self.folder / "queries.npy")

    @property
    def exclusions(self) -> np.ndarray:
        """[600, 200] int64: the half of each query's excluded candidates are its best, the others are random."""
        return _read(self.folder / "exclusions.npy")

    def truth(self, excluded: bool) -> np.ndarray:
        """Returns the best 100 candidates of each query, [600, 100], with or without the exclusions."""
        return _read(self.folder / f"truth-{int(excluded)}.npy")


def _read(path: pathlib.Path) -> np.ndarray:
    with path.open("rb") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def write(folder: pathlib.Path, size: int, seed: int = 0) -> Vectors:
    """Writes the vectors of one size, unless they are there, and returns them."""
    vectors = Vectors(folder / f"{size}-{seed}")
    if (vectors.folder / "truth-1.npy").exists():
        return vectors
    vectors.folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(max(16, size // _CLUSTER_SIZE), DIM)).astype(np.float32)

    def draw(number: int) -> np.ndarray:
        noise = generator.normal(size=(number, DIM)).astype(np.float32)
        points = centres[generator.integers(len(centres), size=number)] + np.float32(_SPREAD) * noise
        return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))

    candidates, queries = draw(size), draw(QUERIES)
    best = [_best(candidates @ query, K + EXCLUSIONS) for query in queries]
    exclusions = [
        np.concatenate([line[: EXCLUSIONS // 2], generator.choice(size, EXCLUSIONS // 2, replace=False)])
        for line in best
    ]
    np.save(vectors.folder / "candidates.npy", candidates)
    np.save(vectors.folder / "queries.npy", queries)
    np.save(vectors.folder / "exclusions.npy", np.array(exclusions))
    np.save(vectors.folder / "truth-0.npy", np.array([line[:K] for line in best]))
    left = [line[~np.isin(line, hidden)][:K] for line, hidden in zip(best, exclusions, strict=True)]
    np.save(vectors.folder / "truth-1.npy", np.array(left))
    return vectors


def _best(scores: np.ndarray, number: int) -> np.ndarray:
    """Returns the positions of the highest scores, best first."""
    found = np.argpartition(scores, -number)[-number:]
    return found[np.argsort(-scores[found])]
