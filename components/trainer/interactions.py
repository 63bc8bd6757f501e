"""Features of the log's rows: those of a history's items, and those of the target's row that a request knows."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from components.trainer.features import to_dense
from components.trainer.raw_values import dtype_of, feature_types, missing, placeholder, sparse
from components.trainer.settings import Settings
from shortlist import keys
from shortlist.config.features import FeatureType


class InteractionReader(tf.Module):
    """Parses and transforms features of the log's rows, alike for training, evaluation and requests.

    A held-out window is parsed without the features of its target, except those that are known at the request. Hence
    no other feature of a target can reach its query side.
    """

    def __init__(self, settings: Settings, transform: tf.keras.layers.Layer) -> None:
        """Takes the windows' transform graph as a Keras layer."""
        super().__init__()
        self._transform = transform
        self.types = feature_types({**settings.history_features, **settings.context_features})
        """Type of each feature by name."""
        self.history_names = tuple(settings.history_features)
        """Names of the features of a history's items."""
        self.context_names = tuple(settings.context_features)
        """Names of the features of a request."""
        self.eval_spec = self._spec(history=self.history_names, context=self.context_names)
        """Parsing spec of a held-out window."""
        self.train_spec = self._spec(history=self.history_names, context=tuple(self.types))
        """Parsing spec of a train window, whose targets are history for later ones."""

    def raw_history(self, values: Mapping[str, tf.RaggedTensor | tf.Tensor]) -> dict[str, tf.RaggedTensor | tf.Tensor]:
        """Returns the raw features of a history's items by name, from those of a window or a request."""
        return {name: values[keys.HISTORY_FEATURE + name] for name in self.history_names}

    def raw_targets(self, parsed: Mapping[str, tf.RaggedTensor]) -> dict[str, tf.RaggedTensor]:
        """Returns the raw features of a train window's targets by name."""
        return {name: parsed[keys.CONTEXT_FEATURE + name] for name in sorted(self.types)}

    def of_items(self, raw: Mapping[str, tf.RaggedTensor]) -> dict[str, tf.Tensor]:
        """Returns transformed features, [batch, length] each; ids are padded with -1, numbers with 0.

        Args:
          raw: [batch, (length)] each, with a placeholder for a missing value; all of the same lengths.
        """
        transformed = self._transformed({name: column.flat_values for name, column in raw.items()})
        return {
            name: raw[name].with_flat_values(values).to_tensor(_pad(values)) for name, values in transformed.items()
        }

    def of_windows(self, parsed: Mapping[str, tf.RaggedTensor]) -> dict[str, tf.Tensor]:
        """Returns the transformed features of a held-out window's request, [batch] each."""
        raw = {}
        for name in self.context_names:
            fill = tf.constant(placeholder(self.types[name]), dtype_of(self.types[name]))
            raw[name] = parsed[keys.CONTEXT_FEATURE + name].to_tensor(fill, shape=[None, 1])[:, 0]
        return self._transformed(raw)

    def of_requests(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns the transformed features of requests, [batch] each, from the inputs of a signature."""
        return self._transformed({name: inputs[keys.CONTEXT_FEATURE + name] for name in self.context_names})

    def unknown(self, number: int) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Returns the features of empty histories, [number, 0] each, and of unknown requests, [number] each."""
        ids = {name for name, kind in self.types.items() if kind is FeatureType.CATEGORY}
        items = {name: tf.zeros([number, 0], tf.int64 if name in ids else tf.float32) for name in self.history_names}
        return items, self._transformed({name: missing(self.types[name], number) for name in self.context_names})

    def _transformed(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns int64 ids with -1 for a missing value, or float32 z-scores, from raw values; [n] each."""
        if not raw:
            return {}
        columns = {keys.CONTEXT_FEATURE + name: sparse(values, self.types[name]) for name, values in raw.items()}
        transformed = self._transform(columns)
        return {name: to_dense(transformed[keys.CONTEXT_FEATURE + name])[:, 0] for name in raw}

    def _spec(self, history: tuple[str, ...], context: tuple[str, ...]) -> dict[str, tf.io.RaggedFeature]:
        names = {keys.HISTORY_FEATURE + name: name for name in history}
        names |= {keys.CONTEXT_FEATURE + name: name for name in context}
        return {
            key: tf.io.RaggedFeature(dtype_of(self.types[name]), row_splits_dtype=tf.int64)
            for key, name in names.items()
        }


def _pad(values: tf.Tensor) -> float | int:
    return 0.0 if values.dtype.is_floating else -1
