"""Ranks of a split's targets while a model trains."""

from __future__ import annotations

import collections
import concurrent.futures
import os

import numpy as np
import tensorflow as tf

from components.evaluator import rank_metrics
from components.evaluator.ranks import target_ranks
from components.graph import graph_function
from components.trainer.model import RetrievalModel
from components.trainer.window_reader import EvalBatch

NDCG = "ndcg_at_10"
TOP_10 = "top_10"
NOT_EVALUATED: dict[str, float | None] = {NDCG: None, TOP_10: None}
"""The metrics of a split without ranked targets."""
_CUTOFF = 10  # the K of NDCG@K and HR@K


class Ranker:
    """Ranks of a split's targets in the whole corpus with the model's current weights."""

    def __init__(self, model: RetrievalModel, batches: tf.data.Dataset, exclude_seen: bool = True) -> None:
        """Takes the `dataset.eval_batches` of the split; the graph is traced once for all evaluations."""
        self._model = model
        self._batches = batches

        # Traced once: a new function per evaluation took 3 s each time, on 2 cores.
        @graph_function(input_signature=[batches.element_spec, tf.TensorSpec([None, None], tf.float32)])
        def ranks(batch: EvalBatch, candidates: tf.Tensor) -> tf.Tensor:
            queries = model.embed_queries(
                batch.features,
                batch.history,
                candidates,
                batch.times,
                batch.clock,
                batch.item_features,
                batch.context,
            )
            without_seen, with_seen = target_ranks(queries, candidates, batch.target, batch.seen)
            return without_seen if exclude_seen else with_seen

        self._ranks = ranks

    def ranks(self) -> np.ndarray:
        """Returns the rank of each row's target, int64 [rows]; `NOT_RANKED` for a target that its query had seen."""
        candidates = self._model.embed_corpus()
        # An operation has one thread, so that several batches are ranked at a time.
        cores = len(os.sched_getaffinity(0))
        ranks = [np.array([], np.int64)]
        pending: collections.deque[concurrent.futures.Future[tf.Tensor]] = collections.deque()
        with concurrent.futures.ThreadPoolExecutor(cores) as pool:
            for batch in self._batches:
                pending.append(pool.submit(self._ranks, batch, candidates))
                if len(pending) > cores:
                    ranks.append(pending.popleft().result().numpy())
            ranks += [future.result().numpy() for future in pending]
        return np.concatenate(ranks)

    def evaluate(self) -> dict[str, float | None]:
        """Returns NDCG@10 and the hit rate HR@10; both are None for a split without ranked targets.

        With one relevant candidate at rank r, NDCG@10 is 1 / log2(1 + r) for r up to 10, else 0.
        """
        counts = rank_metrics.histogram(self.ranks(), _CUTOFF)
        if not counts.sum():
            return dict(NOT_EVALUATED)
        return {NDCG: rank_metrics.ndcg(counts, _CUTOFF), TOP_10: rank_metrics.top_k_accuracy(counts, _CUTOFF)}
