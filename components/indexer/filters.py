"""Filters by the attributes of candidates, in the graph of the served model.

Each attribute stores what it takes to answer four questions: which share of the corpus may pass, whether given rows
pass, which of all rows pass, and, for some conditions, which rows these are without a look at the others. All
conditions of a query hold together; an empty condition lets all pass. A candidate without a value passes `none` and
fails `any`, `min` and `max`, see `shortlist.serving.rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from components.graph import graph_branch
from components.id_table import make_id_table
from shortlist import keys
from shortlist.config.features import FeatureType
from shortlist.serving.catalogue import Catalogue

_Inputs = dict[str, tf.Tensor]


class _CategoryFilter(tf.Module):
    """The pairs of value and row of an attribute, as one sorted list of the numbers value * corpus_size + row.

    A pair is found by bisection, and the rows of a value are next to each other. A matrix of values by row would be as
    wide as the candidate with the most values.
    """

    def __init__(self, name: str, values: pa.Array) -> None:
        """Takes list<string> [corpus_size]."""
        super().__init__()
        self.any, self.none = f"{keys.FILTER}any_{name}", f"{keys.FILTER}none_{name}"
        self.specs = {key: tf.TensorSpec([None, None], tf.string) for key in (self.any, self.none)}
        flat, rows = pc.list_flatten(values), pc.list_parent_indices(values)
        has_text = pc.fill_null(pc.not_equal(flat, ""), False)
        coded = pc.dictionary_encode(flat.filter(has_text))
        self._size = len(values)
        pairs = coded.indices.to_numpy().astype(np.int64) * self._size + rows.filter(has_text).to_numpy()
        pairs = np.unique(pairs)
        names = [value.encode("utf-8") for value in coded.dictionary.to_pylist()]
        self._values = tf.Variable(np.array(names, object) if names else np.zeros(0, object), dtype=tf.string)
        self._table = make_id_table(self._values)
        self._pairs = tf.Variable(pairs, dtype=tf.int64, trainable=False)
        bounds = np.searchsorted(pairs, np.arange(len(names) + 1, dtype=np.int64) * self._size)
        # One more of each, so that an unknown value, -1, has the empty range at the end.
        self._starts = tf.Variable(np.append(bounds[:-1], len(pairs)), dtype=tf.int32, trainable=False)
        self._ends = tf.Variable(np.append(bounds[1:], len(pairs)), dtype=tf.int32, trainable=False)

    def shares(self, inputs: _Inputs) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns two shares of the corpus, float32 [batch] each.

        The first passes, or more if candidates have several values. The second is what `rows` gives; it is all where
        more than one value is wanted, whose rows may repeat.
        """
        wanted, unwanted = inputs[self.any], inputs[self.none]

        @graph_branch
        def estimate() -> tuple[tf.Tensor, tf.Tensor]:
            some, none = self._share_of(wanted), self._share_of(unwanted)
            num_wanted = tf.reduce_sum(tf.cast(wanted != "", tf.int32), axis=-1)
            passing = tf.where(num_wanted > 0, some, 1.0) * (1.0 - none)
            return passing, tf.where(num_wanted == 1, some, 1.0)

        return _if_given(self._has_condition(inputs), estimate, tf.shape(wanted)[:1])

    def _has_condition(self, inputs: _Inputs) -> tf.Tensor:
        """Returns whether any query has a condition, a bool scalar."""
        return tf.reduce_any(inputs[self.any] != "") | tf.reduce_any(inputs[self.none] != "")

    def _share_of(self, values: tf.Tensor) -> tf.Tensor:
        codes = self._codes(values)
        counts = tf.gather(self._ends, codes) - tf.gather(self._starts, codes)
        return tf.minimum(tf.cast(tf.reduce_sum(counts, axis=-1), tf.float32) / max(self._size, 1), 1.0)

    def _codes(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the code of each value; the last one for an unknown value and for padding."""
        codes = self._table.lookup(values)
        return tf.where(codes < 0, tf.size(self._values), codes)

    def passes(self, inputs: _Inputs, rows: tf.Tensor) -> tf.Tensor:
        """Returns whether rows pass, bool [batch, width]; `rows` is int32 of the same shape, 0 or more."""

        @graph_branch
        def check() -> tf.Tensor:
            some = self._has(inputs[self.any], rows)
            return (some | ~_is_given(inputs[self.any])[:, tf.newaxis]) & self.passes_listed(inputs, rows)

        return tf.cond(self._has_condition(inputs), check, lambda: tf.ones_like(rows, tf.bool))

    def passes_listed(self, inputs: _Inputs, rows: tf.Tensor) -> tf.Tensor:
        """Returns whether rows of `rows` pass, bool [batch, width]."""
        return ~self._has(inputs[self.none], rows)

    def _has(self, values: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """Returns whether each row has one of its query's values."""

        @graph_branch
        def search() -> tf.Tensor:
            codes = tf.cast(self._codes(values), tf.int64)
            wanted = codes[:, tf.newaxis, :] * self._size + tf.cast(rows, tf.int64)[:, :, tf.newaxis]
            pairs = tf.convert_to_tensor(self._pairs)
            # tf.searchsorted flattens its inputs, which fails on an empty batch.
            found = tf.raw_ops.LowerBound(
                sorted_inputs=pairs[tf.newaxis], values=tf.reshape(wanted, [1, -1]), out_type=tf.int32
            )
            padded = tf.concat([pairs, [-1]], axis=0)
            return tf.reduce_any(tf.reshape(tf.gather(padded, found[0]), tf.shape(wanted)) == wanted, axis=-1)

        return tf.cond(tf.reduce_any(values != ""), search, lambda: tf.zeros_like(rows, tf.bool))

    def mask(self, inputs: _Inputs, passed: tf.Tensor) -> tf.Tensor:
        """Returns which of the rows that passed so far pass, bool [corpus_size].

        Args:
          inputs: The inputs of one query, without the batch axis.
          passed: bool [corpus_size], the rows that passed so far.
        """

        @graph_branch
        def update() -> tf.Tensor:
            some, none = self._rows_of(inputs[self.any]), self._rows_of(inputs[self.none])
            own = tf.fill([self._size], ~_is_given(inputs[self.any]))
            own = tf.tensor_scatter_nd_update(own, some, tf.ones_like(some[:, 0], tf.bool))
            return passed & tf.tensor_scatter_nd_update(own, none, tf.zeros_like(none[:, 0], tf.bool))

        return tf.cond(self._has_condition(inputs), update, lambda: passed)

    def rows(self, inputs: _Inputs) -> tf.Tensor:
        """Returns the rows that have the one wanted value, int32 [num_rows], for the inputs of one query."""
        return self._rows_of(inputs[self.any])[:, 0]

    def _rows_of(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the rows that have one of the values, int32 [num_rows, 1], with repeats."""
        codes = self._codes(values)
        starts, ends = tf.gather(self._starts, codes), tf.gather(self._ends, codes)
        positions = tf.ragged.range(starts, ends).flat_values
        pairs = tf.gather(tf.convert_to_tensor(self._pairs), positions)
        return tf.cast(pairs % max(self._size, 1), tf.int32)[:, tf.newaxis]


class _NumberFilter(tf.Module):
    """The numbers of an attribute by row, and sorted."""

    def __init__(self, name: str, values: pa.Array) -> None:
        """Takes floats [corpus_size], null if missing."""
        super().__init__()
        self.min, self.max = f"{keys.FILTER}min_{name}", f"{keys.FILTER}max_{name}"
        self.specs = {key: tf.TensorSpec([None], tf.float32) for key in (self.min, self.max)}
        numbers = pc.fill_null(values, float("nan")).to_numpy().astype(np.float32)
        self._numbers = tf.Variable(numbers, trainable=False)
        # NaN is last in NumPy's order.
        order = np.argsort(numbers, kind="stable")[: np.count_nonzero(~np.isnan(numbers))].astype(np.int32)
        self._order = tf.Variable(order, trainable=False)
        self._sorted = tf.Variable(numbers[order], trainable=False)

    def shares(self, inputs: _Inputs) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the share of the corpus that passes, which is also what `rows` gives, float32 [batch] twice."""
        low, high = inputs[self.min], inputs[self.max]
        is_given = ~(tf.math.is_nan(low) & tf.math.is_nan(high))

        @graph_branch
        def estimate() -> tuple[tf.Tensor, tf.Tensor]:
            first, after = self._range(low, high)
            share = tf.cast(after - first, tf.float32) / max(self._numbers.shape[0], 1)
            share = tf.where(is_given, share, 1.0)
            return share, share

        return _if_given(tf.reduce_any(is_given), estimate, tf.shape(low))

    def _range(self, low: tf.Tensor, high: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the first position in the sorted numbers that passes, and the one after the last, int32 [batch]."""
        numbers = tf.convert_to_tensor(self._sorted)[tf.newaxis]
        first = tf.raw_ops.LowerBound(sorted_inputs=numbers, values=low[tf.newaxis], out_type=tf.int32)[0]
        after = tf.raw_ops.UpperBound(sorted_inputs=numbers, values=high[tf.newaxis], out_type=tf.int32)[0]
        first = tf.where(tf.math.is_nan(low), 0, first)
        after = tf.where(tf.math.is_nan(high), tf.size(numbers), after)
        return first, tf.maximum(after, first)

    def passes(self, inputs: _Inputs, rows: tf.Tensor) -> tf.Tensor:
        """Returns whether rows pass, bool [batch, width]; `rows` is int32 of the same shape, 0 or more."""
        numbers = tf.gather(tf.convert_to_tensor(self._numbers), rows)
        return self._is_between(numbers, inputs[self.min][:, tf.newaxis], inputs[self.max][:, tf.newaxis])

    def passes_listed(self, inputs: _Inputs, rows: tf.Tensor) -> tf.Tensor:
        """Returns whether rows of `rows` pass, bool [batch, width]: all do."""
        return tf.ones_like(rows, tf.bool)

    def mask(self, inputs: _Inputs, passed: tf.Tensor) -> tf.Tensor:
        """Returns which of the rows that passed so far pass, bool [corpus_size].

        Args:
          inputs: The inputs of one query, without the batch axis.
          passed: bool [corpus_size], the rows that passed so far.
        """
        low, high = inputs[self.min], inputs[self.max]

        @graph_branch
        def update() -> tf.Tensor:
            return passed & self._is_between(tf.convert_to_tensor(self._numbers), low, high)

        return tf.cond(tf.math.is_nan(low) & tf.math.is_nan(high), lambda: passed, update)

    def rows(self, inputs: _Inputs) -> tf.Tensor:
        """Returns the rows within the bounds, int32 [num_rows], for the inputs of one query."""
        first, after = self._range(inputs[self.min][tf.newaxis], inputs[self.max][tf.newaxis])
        return tf.convert_to_tensor(self._order)[first[0] : after[0]]

    @staticmethod
    def _is_between(numbers: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
        # A comparison with NaN is false.
        return ((numbers >= low) | tf.math.is_nan(low)) & ((numbers <= high) | tf.math.is_nan(high))


class AttributeFilters(tf.Module):
    """The filters of a served model; a model without declared attributes has none.

    A graph has a branch per attribute, since most requests have conditions on few of them.
    """

    def __init__(self, filters: Sequence[_CategoryFilter | _NumberFilter] = ()) -> None:
        """Takes one filter per attribute."""
        super().__init__()
        self._filters = list(filters)
        self.specs: dict[str, tf.TensorSpec] = {}
        """The inputs of a signature: string [B, F] per category attribute, float32 [B] per number."""
        for one in self._filters:
            self.specs.update(one.specs)

    @classmethod
    def of(cls, catalogue: Catalogue, names: Sequence[str]) -> AttributeFilters:
        """Returns the filters of some attributes of a catalogue, whose rows are those of the model."""
        made: list[_CategoryFilter | _NumberFilter] = []
        for name in names:
            values = catalogue.attribute(name).combine_chunks()
            is_number = catalogue.attributes[name] is FeatureType.NUMERIC
            made.append(_NumberFilter(name, values) if is_number else _CategoryFilter(name, values))
        return cls(made)

    def shares(self, inputs: _Inputs, batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns shares of the corpus.

        Args:
          inputs: The inputs of `batch` queries.
          batch: Number of queries, an int32 scalar.

        Returns:
          The estimated share that passes, float32 [batch], the product of the attributes'; and the share that each
          attribute can list, float32 [batch, num_attributes], 1 if it has no condition whose rows it can list.
        """
        if not self._filters:
            return tf.ones([batch]), tf.ones([batch, 0])
        passing, listed = zip(*(one.shares(inputs) for one in self._filters), strict=True)
        return tf.reduce_prod(tf.stack(passing, axis=-1), axis=-1), tf.stack(listed, axis=-1)

    def passes(self, inputs: _Inputs, rows: tf.Tensor) -> tf.Tensor:
        """Returns whether rows pass, bool [batch, width]; `rows` is int32 of the same shape, 0 or more."""
        passed = tf.ones_like(rows, tf.bool)
        for one in self._filters:
            passed &= one.passes(inputs, rows)
        return passed

    def mask(self, inputs: _Inputs, size: int) -> tf.Tensor:
        """Returns whether each row passes, bool [size], for the inputs of one query without the batch axis."""
        passed = tf.ones([size], tf.bool)
        for one in self._filters:
            passed = tf.ensure_shape(one.mask(inputs, passed), [size])
        return passed

    def listed(self, inputs: _Inputs, attribute: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns rows that hold all that pass, without a look at the rest of the corpus.

        Args:
          inputs: The inputs of one query without the batch axis.
          attribute: Position of an attribute with a condition that it can list, an int32 scalar; see `shares`.

        Returns:
          The attribute's rows, int32 [num_rows], distinct and in any order, and which of them pass, bool [num_rows].
        """
        one_line = {name: value[tf.newaxis] for name, value in inputs.items()}

        def list_by(listing: _CategoryFilter | _NumberFilter) -> Callable[[], tuple[tf.Tensor, tf.Tensor]]:
            @graph_branch
            def branch() -> tuple[tf.Tensor, tf.Tensor]:
                rows = listing.rows(inputs)[tf.newaxis]
                passed = listing.passes_listed(one_line, rows)
                for other in self._filters:
                    if other is not listing:
                        passed &= other.passes(one_line, rows)
                return rows[0], passed[0]

            return branch

        found: tuple[tf.Tensor, tf.Tensor] = tf.switch_case(attribute, [list_by(one) for one in self._filters])
        return found


def _if_given(
    is_given: tf.Tensor, estimate: Callable[[], tuple[tf.Tensor, tf.Tensor]], shape: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the two shares of `estimate`, float32 of a shape, or 1 if no query of the batch has a condition."""

    def everything() -> tuple[tf.Tensor, tf.Tensor]:
        ones = tf.ones(shape)
        return ones, ones

    shares: tuple[tf.Tensor, tf.Tensor] = tf.cond(is_given, estimate, everything)
    return shares


def _is_given(values: tf.Tensor) -> tf.Tensor:
    """Returns whether there is a value other than padding in the last axis."""
    return tf.reduce_any(values != "", axis=-1)
