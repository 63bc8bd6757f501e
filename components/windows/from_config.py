"""The part of the `data` section that decides the windows, taken when the pipeline is built.

No code that runs in a node imports this module. It imports the whole `data` section, which would then become part of
the node's cache key.
"""

from __future__ import annotations

from components.windows.windows_config import WindowsConfig
from shortlist.config.data import Data
from shortlist.config.interaction_features import InteractionFeatures
from shortlist.config.table import Weight


def windows_config_from(
    data: Data, everything_is_train: bool = False, features: InteractionFeatures | None = None
) -> WindowsConfig:
    """Returns the part of `data` that decides the windows, with the features of the log's rows that they have."""
    log = data.interactions
    return WindowsConfig(
        columns=(log.query_id, log.candidate_id, log.timestamp),
        file_columns=log.columns,
        time_format=log.timestamp_format,
        candidates_filter=data.candidates.filter,
        split=data.split,
        windows=data.windows,
        max_interactions_per_query=data.max_interactions_per_query,
        repeats=log.repeats,
        filter=log.filter,
        no_targets=_no_targets(log.weight),
        unknown_candidates=data.gate.unknown_candidates,
        tied_targets=data.gate.tied_targets,
        isolated_times=data.gate.isolated_times,
        features=features or InteractionFeatures(),
        everything_is_train=everything_is_train,
        has_timestamps=log.timestamp is not None,
    )


def _no_targets(weight: Weight | None) -> tuple[str, ...]:
    if weight is None:
        return ()
    if weight.values is None:
        return (weight.column,)
    zero = sorted(name for name, value in weight.values.items() if value == 0.0)
    return (weight.column, *zero) if zero else ()
