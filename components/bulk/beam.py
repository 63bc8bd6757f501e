"""The Beam graphs that answer shards of requests, or find the similar items of shards of the catalogue."""

# No `from __future__ import annotations` here: Beam reads the hints at run time.

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.pipeline import Pipeline
from apache_beam.utils import shared

from components.bulk import files, requests, similar
from components.bulk.answers import Answerer
from components.bulk.ruled import RuledAnswerer
from shortlist.process import progress


def build_answers(
    root: Pipeline,
    shards: Sequence[int],
    answerer: Callable[[], Answerer | RuledAnswerer],
    requests_dir: str,
    path_of: Callable[[int], str],
    staging: str,
) -> None:
    """Adds the graph that answers shards of requests. A worker holds one model and one shard.

    Args:
      root: The pipeline.
      shards: Numbers of the shards.
      answerer: Loads the model.
      requests_dir: Folder of the requests.
      path_of: Returns the file of a shard's answers.
      staging: A folder for unfinished files.
    """
    _ = (
        root
        | "Shards" >> beam.Create(list(shards))
        | "Spread" >> beam.Reshuffle()
        | "Answer" >> beam.ParDo(_AnswerFn(answerer, requests_dir, path_of, staging))
    )


def build_similar(
    root: Pipeline,
    shards: Sequence[int],
    num_shards: int,
    load: Callable[[], similar.Neighbours],
    path_of: Callable[[int], str],
    staging: str,
) -> None:
    """Adds the graph that finds the similar items of shards of the catalogue.

    Args:
      root: The pipeline.
      shards: Numbers of the shards.
      num_shards: Number of all shards.
      load: Loads the vectors.
      path_of: Returns the file of a shard.
      staging: A folder for unfinished files.
    """
    _ = (
        root
        | "Shards" >> beam.Create(list(shards))
        | "Spread" >> beam.Reshuffle()
        | "Similar" >> beam.ParDo(_SimilarFn(load, num_shards, path_of, staging))
    )


class _ShardFn(beam.DoFn):
    """Number of a shard -> its file of results, of a model that the threads of a worker share."""

    def __init__(self, load: Callable[[], Any], path_of: Callable[[int], str], staging: str):
        self._load = load
        self._path_of = path_of
        self._staging = staging
        self._shared = shared.Shared()

    def setup(self) -> None:
        self._model: Any = self._shared.acquire(self._load)

    def _write(self, key: str, found: files.Answers, shard: int, noun: str) -> int:
        """Writes a shard's file, and returns its number of keys."""
        files.write(key, found, self._path_of(shard), self._staging)
        progress.count(len(found.keys), noun)
        return len(found.keys)


class _AnswerFn(_ShardFn):
    """Answers a shard of requests."""

    def __init__(
        self, load: Callable[[], Answerer | RuledAnswerer], folder: str, path_of: Callable[[int], str], staging: str
    ):
        super().__init__(load, path_of, staging)
        self._folder = folder

    def process(self, shard: int) -> Iterator[int]:
        path = requests.request_path(self._folder, shard)
        records = list(tf.data.TFRecordDataset(path, compression_type="GZIP").as_numpy_iterator())
        yield self._write("query_id", self._model.answer(records), shard, "queries")


class _SimilarFn(_ShardFn):
    """Finds the similar items of a shard of the catalogue."""

    def __init__(
        self, load: Callable[[], similar.Neighbours], num_shards: int, path_of: Callable[[int], str], staging: str
    ):
        super().__init__(load, path_of, staging)
        self._num_shards = num_shards

    def process(self, shard: int) -> Iterator[int]:
        yield self._write("candidate_id", self._model.of_shard(shard, self._num_shards), shard, "candidates")
