"""Features of the log's rows that the model reads, or that its metrics are split by."""

from __future__ import annotations

from collections.abc import Sequence

from shortlist import keys
from shortlist.config.features import ONE_VALUE, Feature
from shortlist.config.model import HistoryTowerSection, QueryTower
from shortlist.config.section import Section
from shortlist.config.table import Interactions
from shortlist.quoting import short_repr


class InteractionFeatures(Section):
    """The used features of the log's rows, by name; a feature may be in several of the three."""

    history: dict[str, Feature] = {}
    """Features of the history's items."""

    context: dict[str, Feature] = {}
    """Features of the target's own row that are known when recommendations are requested."""

    slices: dict[str, Feature] = {}
    """Features of the target's own row by which metrics are split. No model reads them."""

    @property
    def read(self) -> dict[str, Feature]:
        """The features that the model reads, sorted by name: they need a vocabulary or a mean."""
        return dict(sorted({**self.history, **self.context}.items()))

    @property
    def carried(self) -> dict[str, Feature]:
        """All features, sorted by name."""
        return dict(sorted({**self.read, **self.slices}.items()))


def used_features(log: Interactions, tower: QueryTower, slices: Sequence[str] = ()) -> InteractionFeatures:
    """Returns the features of the log that a config uses.

    Args:
      log: The log.
      tower: The query tower, which reads features of the history.
      slices: `evaluate.slices`; those with the prefix `context_` are features of the log.
    """
    history = tower.history_features if isinstance(tower, HistoryTowerSection) else ()
    sliced = [name.removeprefix(keys.CONTEXT_FEATURE) for name in slices if name.startswith(keys.CONTEXT_FEATURE)]
    plain = {name: _plain(feature) for name, feature in log.features.items()}
    return InteractionFeatures(
        history={name: plain[name] for name in sorted(history)},
        context={name: plain[name] for name in sorted(plain) if log.features[name].known_at_request},
        slices={name: plain[name] for name in sorted(sliced) if name in plain},
    )


def check_features(log: Interactions, tower: QueryTower) -> None:
    """Refuses features that the model cannot read.

    Raises:
      ValueError: A feature is missing or has several values, or the name of its input is taken.
    """
    history = tower.history_features if isinstance(tower, HistoryTowerSection) else ()
    for name in history:
        where = f"model.query_tower.history_features: {short_repr(name)}"
        if name not in log.features:
            raise ValueError(f"{where} is not a feature of data.interactions; expected some of {sorted(log.features)}")
        kind = log.features[name].type
        if kind not in ONE_VALUE:
            raise ValueError(
                f"{where} is of type {kind.value}; expected category, numeric or timestamp, one value per interaction"
            )
    if len(set(history)) < len(history):
        raise ValueError("model.query_tower.history_features: expected each name once")
    context = [name for name, feature in log.features.items() if feature.known_at_request]
    # TensorFlow compares the names of a signature's inputs without regard to case.
    # Features of other tables cannot have the prefixes, see `keys.RESERVED_PREFIXES`.
    taken = {name.lower(): name for name in keys.RESERVED}
    for inputs in (
        [keys.HISTORY_FEATURE + name for name in history],
        [keys.CONTEXT_FEATURE + name for name in context],
    ):
        for name in inputs:
            other = taken.setdefault(name.lower(), name)
            if other != name or name in keys.RESERVED:
                feature = name.split("_", 1)[1]
                raise ValueError(
                    f"the interaction feature {short_repr(feature)} would become the input {name!r} of the served "
                    f"model, which has {other!r} already; rename it, and use `column:` for the file's own name"
                )


def _plain(feature: Feature) -> Feature:
    """Returns a feature without the settings of the log's features alone."""
    return Feature.model_validate(
        {name: getattr(feature, name) for name in feature.model_fields_set & set(Feature.model_fields)}
    )
