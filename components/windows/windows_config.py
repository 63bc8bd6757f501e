"""The part of the config that decides the windows, and the fingerprint of the resulting split."""

from __future__ import annotations

import hashlib
import json

from shortlist import keys
from shortlist.config.gate import Check
from shortlist.config.interaction_features import InteractionFeatures
from shortlist.config.section import Section
from shortlist.config.split import Random, Split, Temporal, WindowsSection
from shortlist.config.table import Repeats

CONTRACT_VERSION = 2  # raise it when the same config gives other splits, histories or seen ids
SPLITS = (keys.SPLIT_TRAIN, keys.SPLIT_EVAL, keys.SPLIT_TEST)


class WindowsConfig(Section):
    """The part of the data section that is in the Windows node's cache key."""

    split: Split
    windows: WindowsSection
    max_interactions_per_query: int
    repeats: Repeats = "all"

    columns: tuple[str | None, ...] = ()
    """The log's columns of query, candidate and time. This and the next four fields only enter the fingerprint."""

    file_columns: tuple[str, ...] | None = None
    """Names of the columns of files without a header."""

    time_format: str | None = None
    """Format of the timestamps; another one may swap day and month, and so order the rows in another way."""

    filter: str | None = None
    """The filter of the log's rows."""

    candidates_filter: str | None = None
    """The filter of the catalogue; interactions with a removed candidate are dropped."""

    no_targets: tuple[str, ...] = ()
    """How rows of weight 0 are recognised: the weight's column, then its values with weight 0.

    There are no values if the column itself holds the weight. Empty if every row has a positive weight. This field only
    enters the fingerprint."""

    unknown_candidates: Check
    tied_targets: Check
    isolated_times: Check

    features: InteractionFeatures = InteractionFeatures()
    """Features of the log's rows that the windows have."""

    everything_is_train: bool = False
    """True for `train.refit`: no row is held out."""

    has_timestamps: bool
    """False if `interactions.timestamp` is null; all timestamps are then 0, which means unknown."""


def split_fingerprint(config: WindowsConfig, interactions_sha256: str) -> str:
    """Returns the SHA-256 that two models must share for their metrics to be comparable.

    Both models are ranked on the test rows of the newer one. The earlier model must
    not have trained on these rows, nor been tuned on an easier kind of row. The
    fingerprint therefore covers every setting that decides which rows of a log are
    held out:

    - the split, and the columns that name and order the rows;
    - the filters, and the policy for repeats;
    - the rows that are not targets;
    - the maximum of interactions per query. The rows within it may all be one basket, or all have weight 0.

    It does not cover settings with another effect: positive weights (the loss), the
    windows' sizes (the length of histories), and the gates.

    It does not cover the log itself either, since a model must be comparable with last
    week's. New rows move no row from train into test. Split random is the exception:
    one more row moves every cut, so its fingerprint covers the content of the log.

    Of a split by spans it covers the rule, not the cuts, which move forward with the log.
    The Baseline node compares the cuts of both models, in case that the log became shorter.

    Removed rows can move a row with any split. If a candidate leaves the catalogue, an
    earlier row becomes its query's last one. `data.gate.unknown_candidates` limits
    the number of such rows.

    Args:
      config: The part of the config that decides the windows.
      interactions_sha256: Fingerprint of the log's content; used by split random only.
    """
    settings: dict[str, object] = {
        "contract_version": CONTRACT_VERSION,
        "split": config.split.rule if isinstance(config.split, Temporal) else config.split.model_dump(mode="json"),
        "columns": config.columns,
        "filter": config.filter,
        "candidates_filter": config.candidates_filter,
        "repeats": config.repeats,
        "no_targets": config.no_targets,
        "max_interactions_per_query": config.max_interactions_per_query,
    }
    if isinstance(config.split, Random):
        settings["interactions_sha256"] = interactions_sha256
    # Absent by default, so that fingerprints of earlier versions stay the same.
    if config.file_columns is not None:
        settings["file_columns"] = config.file_columns
    if config.time_format is not None:
        settings["time_format"] = config.time_format
    if config.everything_is_train:
        settings["everything_is_train"] = True
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
