"""Settings that a model must share with the model from which its training starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.trainer.settings import Settings
from shortlist.errors import ConfigError

# These settings act during training, or add weights that the source need not have.
_MAY_DIFFER = {
    "model.query_tower.dropout",
    "model.query_tower.cold_start_fraction",
    "model.query_tower.history_features",
    "model.candidate_tower.dropout",
    "model.candidate_tower.id_dropout",
}
_ABSENT = "nothing"


def check_same_shapes(settings: Settings, source: Settings) -> None:
    """Refuses settings with which a model's weights would have another shape or another meaning.

    Args:
      settings: Settings of the new model.
      source: Settings of the model from which its training starts.

    Raises:
      ConfigError: A setting differs; the first one by name.
    """
    own, earlier = _shaping(settings), _shaping(source)
    for name in sorted(own.keys() | earlier.keys()):
        value, before = own.get(name, _ABSENT), earlier.get(name, _ABSENT)
        if value != before:
            raise ConfigError.from_parts(
                name,
                f"{before}, as in the latest blessed model, from which train.warm_start begins",
                value,
                "change it back, or train this run from scratch with train.warm_start: null",
            )


def _shaping(settings: Settings) -> dict[str, Any]:
    """Returns the settings that shape a model, by dotted name."""
    found = dict(_flat("model", settings.model.model_dump(mode="json")))
    if settings.history_tower is not None:
        # The position embedding and the position bias are as long as the longest sequence.
        found |= _flat("data.windows", settings.windows.model_dump(mode="json"))
    return {name: value for name, value in found.items() if name not in _MAY_DIFFER}


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        yield prefix, value
        return
    for name, part in value.items():
        yield from _flat(f"{prefix}.{name}", part)
