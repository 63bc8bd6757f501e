"""The served model: its signatures and its files.

The indexed model and its exact copy differ only in the index. The exact copy needs no op outside of TensorFlow.
"""

from __future__ import annotations

import json
import os
import types
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from components.graph import graph_function, one_row_per_query
from components.id_table import make_id_table
from components.indexer import retrieval
from components.indexer.exact import ExactIndex
from components.indexer.filtered import FilteredSearch
from components.indexer.filters import AttributeFilters
from components.indexer.inputs import parse_examples, with_one_column
from components.indexer.scann_index import ScannIndex
from components.indexer.similar import SimilarSearch
from shortlist import keys
from shortlist.model_files import INDEX_FILE, TRAINED_FILE

EMBED_CANDIDATES = "embed_candidates"
"""Signature of described candidates; its inputs are `components.trainer.inputs.candidate_inputs`."""

RECOMMEND_FILTERED = "recommend_filtered"
"""Signature `recommend` with the filters' inputs, and up to `index.pool` results."""

SIMILAR = "similar"
"""Signature of the nearest candidates by the cosine."""

_Tensors = dict[str, tf.Tensor]
_Specs = Mapping[str, tf.TensorSpec]


class ServedModel(tf.Module):
    """A trained model and an index over its candidates."""

    def __init__(
        self,
        trained: tf.Module,
        index: ExactIndex | ScannIndex,
        k: int,
        pool: int | None = None,
        filters: AttributeFilters | None = None,
    ) -> None:
        """Combines a model with an index.

        Args:
          trained: The Trainer's SavedModel, loaded.
          index: The index over `trained.candidate_embeddings`.
          k: Width of an answer.
          pool: Longest answer of `recommend_filtered`; `k` by default, and at least.
          filters: Filters over the same candidates; none by default.
        """
        super().__init__()
        self.trained = trained
        self.searcher_state = index.searcher_state if isinstance(index, ScannIndex) else None
        self._k = k
        self._pool = max(k, pool or k)
        self.filters = AttributeFilters() if filters is None else filters
        # Inside a namespace tf.saved_model.save does not find the Keras layer; otherwise it warns that it was not
        # built.
        candidates = trained.candidate_embeddings
        self.similar = SimilarSearch(candidates, self.filters)
        self._hidden = types.SimpleNamespace(index=index, filtered=FilteredSearch(index, candidates, self.filters, k))
        self._query_signature = trained.signatures["query_embedding"]
        # A model that an older version trained does not have it.
        self._table = None if hasattr(trained, "candidate_rows") else make_id_table(trained.candidate_ids)

    @property
    def query_specs(self) -> dict[str, tf.TensorSpec]:
        """The inputs of the query tower: id, history, times and one input per query feature."""
        return dict(self._query_signature.structured_input_signature[1])

    def signatures(self) -> dict[str, Callable[..., Any]]:
        """Returns the served API: signature name to function with its input signature."""
        query = self.query_specs
        recommend = {
            **query,
            keys.K: tf.TensorSpec([None], tf.int32),
            keys.EXCLUDE: tf.TensorSpec([None, None], tf.string),
            keys.ALLOW: tf.TensorSpec([None, None], tf.string),
        }
        similar = {
            keys.CANDIDATE_IDS: tf.TensorSpec([None, None], tf.string),
            keys.K: tf.TensorSpec([None], tf.int32),
            keys.EXCLUDE: tf.TensorSpec([None, None], tf.string),
        }
        signatures = {
            "serving_default": _concrete(self._serve, query),
            "recommend": _concrete(self._recommend, recommend),
            RECOMMEND_FILTERED: _concrete(self._recommend_filtered, {**recommend, **self.filters.specs}),
            SIMILAR: _concrete(self._similar, {**similar, **self.filters.specs}),
            "examples": _concrete(self._serve_examples, {"examples": tf.TensorSpec([None], tf.string)}),
            "query_embedding": _concrete(self._embed, query),
            "candidate_embedding": _concrete(
                self.trained.signatures["candidate_embedding"], {keys.CANDIDATE_ID: tf.TensorSpec([None], tf.string)}
            ),
        }
        # A model that an older version trained does not have it.
        if EMBED_CANDIDATES in self.trained.signatures:
            described = self.trained.signatures[EMBED_CANDIDATES].structured_input_signature[1]
            signatures[EMBED_CANDIDATES] = _concrete(self._embed_candidates, described)
        return signatures

    def _rows(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns the rows of ids, int32 of the same shape; -1 for an unknown id."""
        if self._table is not None:
            return self._table.lookup(ids)
        return tf.ensure_shape(self.trained.candidate_rows(ids), ids.shape)

    def _embed_candidates(self, **candidates: tf.Tensor) -> _Tensors:
        candidates = one_row_per_query(candidates, "candidate")
        embeddings: _Tensors = self.trained.signatures[EMBED_CANDIDATES](**with_one_column(candidates))
        return embeddings

    def _embed(self, **query: tf.Tensor) -> _Tensors:
        embeddings: _Tensors = self._query_signature(**with_one_column(one_row_per_query(query)))
        return embeddings

    def _serve(self, **query: tf.Tensor) -> _Tensors:
        query = one_row_per_query(query)
        return self._answer(query, self._rows(query[keys.HISTORY_IDS]))

    def _serve_examples(self, examples: tf.Tensor) -> _Tensors:
        parsed = parse_examples(examples, self.query_specs)
        exclude = tf.concat([parsed[keys.HISTORY_IDS], parsed.pop(keys.SEEN_IDS)], axis=1)
        return self._answer(parsed, self._rows(exclude))

    def _recommend(self, k: tf.Tensor, exclude: tf.Tensor, allow: tf.Tensor, **query: tf.Tensor) -> _Tensors:
        query = one_row_per_query({**query, keys.K: k, keys.EXCLUDE: exclude, keys.ALLOW: allow})
        k, exclude, allow = (query.pop(name) for name in (keys.K, keys.EXCLUDE, keys.ALLOW))
        return self._answer(query, self._rows(exclude), allow, k)

    def _recommend_filtered(self, **inputs: tf.Tensor) -> _Tensors:
        inputs = one_row_per_query(inputs)
        k, exclude, allow = (inputs.pop(name) for name in (keys.K, keys.EXCLUDE, keys.ALLOW))
        rules = {name: inputs.pop(name) for name in self.filters.specs}
        excluded_rows, width = self._rows(exclude), self._width(k)
        embeddings = self._query_signature(**with_one_column(inputs))[keys.EMBEDDING]
        scores, rows = self._search_allowed(
            embeddings,
            excluded_rows,
            allow,
            lambda: self._hidden.filtered.search(embeddings, excluded_rows, rules, k, width),
            lambda rows: self.filters.passes(rules, rows),
            width,
        )
        return self._outputs(scores, rows, k)

    def _similar(self, candidate_ids: tf.Tensor, k: tf.Tensor, exclude: tf.Tensor, **rules: tf.Tensor) -> _Tensors:
        inputs = one_row_per_query({**rules, keys.CANDIDATE_IDS: candidate_ids, keys.K: k, keys.EXCLUDE: exclude})
        k, wanted, exclude = (inputs.pop(name) for name in (keys.K, keys.CANDIDATE_IDS, keys.EXCLUDE))
        scores, rows = self.similar.search(self._rows(wanted), self._rows(exclude), inputs, self._width(k))
        return self._outputs(scores, rows, k)

    def _width(self, k: tf.Tensor) -> tf.Tensor:
        """Returns the width of an answer that may be longer than `recommend`'s: that of the longest list wanted."""
        # Padded, because the maximum of an empty batch is the lowest integer.
        return tf.clip_by_value(tf.reduce_max(tf.pad(k, [[0, 1]])), self._k, self._pool)

    def _answer(
        self,
        query: _Tensors,
        excluded_rows: tf.Tensor,
        allow: tf.Tensor | None = None,
        k: tf.Tensor | None = None,
    ) -> _Tensors:
        embeddings = self._query_signature(**with_one_column(query))[keys.EMBEDDING]

        def search() -> tuple[tf.Tensor, tf.Tensor]:
            found: tuple[tf.Tensor, tf.Tensor] = self._hidden.index.query_with_exclusions(
                embeddings, excluded_rows, self._k
            )
            return found

        if allow is None:
            scores, rows = search()
        else:
            scores, rows = self._search_allowed(embeddings, excluded_rows, allow, search, None, self._k)
        return self._outputs(scores, rows, k)

    def _outputs(self, scores: tf.Tensor, rows: tf.Tensor, k: tf.Tensor | None) -> _Tensors:
        """Returns the outputs of a signature; k cuts the answers."""
        in_answer = rows != retrieval.NO_ROW
        if k is not None:
            in_answer &= tf.range(tf.shape(rows)[1]) < k[:, tf.newaxis]
            scores = tf.where(in_answer, scores, retrieval.LOWEST)
        return {
            keys.IDS: tf.where(in_answer, tf.gather(self.trained.candidate_ids, tf.maximum(rows, 0)), ""),
            keys.SCORES: scores,
            keys.COUNT: tf.reduce_sum(tf.cast(in_answer, tf.int32), axis=-1),
        }

    def _search_allowed(
        self,
        embeddings: tf.Tensor,
        excluded_rows: tf.Tensor,
        allow: tf.Tensor,
        search_all: Callable[[], tuple[tf.Tensor, tf.Tensor]],
        passes: Callable[[tf.Tensor], tf.Tensor] | None,
        width: int | tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Searches each query's allowed ids.

        An empty list allows the whole corpus, which `search_all` searches. A list that has only unknown ids allows
        nothing. `passes` is a further condition on allowed rows, [batch, num_allowed] int32, 0 or more.
        """
        is_restricted = tf.reduce_any(allow != "", axis=-1)

        def search_some() -> tuple[tf.Tensor, tf.Tensor]:
            # An index searches the whole corpus, so the allowed rows are gathered and scored one by one.
            rows = retrieval.drop_repeats(self._rows(allow))
            keep = (rows != retrieval.NO_ROW) & ~retrieval.contains(excluded_rows, rows)
            rows = tf.maximum(rows, 0)
            if passes is not None:
                keep &= passes(rows)
            return retrieval.rank_rows(embeddings, self.trained.candidate_embeddings, rows, keep, width)

        def search_both() -> tuple[tf.Tensor, tf.Tensor]:
            (scores, rows), (all_scores, all_rows) = search_some(), search_all()
            chosen = is_restricted[:, tf.newaxis]
            return tf.where(chosen, scores, all_scores), tf.where(chosen, rows, all_rows)

        def search_restricted() -> tuple[tf.Tensor, tf.Tensor]:
            return tf.cond(tf.reduce_all(is_restricted), search_some, search_both)

        return tf.cond(tf.reduce_any(is_restricted), search_restricted, search_all)


def _concrete(function: Callable[..., Any], specs: _Specs) -> Callable[..., Any]:
    named = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs.items()}
    return graph_function(lambda **inputs: function(**inputs)).get_concrete_function(**named)


def save(model: ServedModel, trained_dir: str, model_dir: str) -> None:
    """Writes a SavedModel with a copy of the Trainer's `assets.extra/shortlist.json`, if there is one."""
    # TensorFlow refuses to save ops of other namespaces than its own without this list.
    options = tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])
    tf.saved_model.save(model, model_dir, signatures=model.signatures(), options=options)
    destination = os.path.join(model_dir, TRAINED_FILE)
    tf.io.gfile.makedirs(os.path.dirname(destination))
    source = os.path.join(trained_dir, TRAINED_FILE)
    if tf.io.gfile.exists(source):
        tf.io.gfile.copy(source, destination, overwrite=True)


def write_index_file(model_dir: str, index: Mapping[str, Any]) -> None:
    """Writes `assets.extra/index.json`: kind, parameters and measurements of the index."""
    write_text_file(model_dir, INDEX_FILE, json.dumps(index, indent=2, sort_keys=True) + os.linesep)


def write_text_file(model_dir: str, name: str, content: str) -> None:
    """Writes a file of a model.

    Args:
      model_dir: The SavedModel's folder.
      name: Path within it.
      content: The file's content.
    """
    path = os.path.join(model_dir, name)
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(content)
