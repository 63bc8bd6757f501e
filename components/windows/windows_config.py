"""What of the config decides the windows, and the fingerprint of the split that results."""

from __future__ import annotations

import hashlib
import json

from shortlist import keys
from shortlist.config.gate import Check
from shortlist.config.section import Section
from shortlist.config.split import Random, Split, WindowsSection
from shortlist.config.table import Repeats

CONTRACT_VERSION = 2  # raise it when the same config would give other splits, histories or seen ids
SPLITS = (keys.SPLIT_TRAIN, keys.SPLIT_EVAL, keys.SPLIT_TEST)


class WindowsConfig(Section):
    """The part of the data section that the Windows node is keyed by in the cache."""

    split: Split
    windows: WindowsSection
    max_interactions_per_query: int
    repeats: Repeats = "all"

    columns: tuple[str | None, ...] = ()
    """Where the log has its queries, candidates and times; only part of the fingerprint, as the next two."""

    filter: str | None = None
    """Which rows of the log are there at all."""

    candidates_filter: str | None = None
    """Which candidates are, without which a row is not."""

    no_targets: tuple[str, ...] = ()
    """How rows of weight 0 are told: the column, and its types that have this weight, or none where the column is the
    weight itself. Empty where every row has a positive weight; only part of the fingerprint."""

    unknown_candidates: Check
    tied_targets: Check
    isolated_times: Check

    everything_is_train: bool = False
    """Whether there is nothing to be held out any more: for `train.refit`."""

    has_timestamps: bool
    """False where `interactions.timestamp` is null: all times are 0 then, which means unknown."""


def split_fingerprint(config: WindowsConfig, interactions_sha256: str) -> str:
    """Returns the SHA-256 that two models must share for their figures to be comparable.

    Both are ranked on the same test rows anyway, the newer one's. What must not be
    is that the earlier one was trained on them, or tuned on an easier kind of row.
    Hence it covers all of the config that decides, from one and the same log, which
    rows are held out: the split, the columns that name and order them, the filters,
    the policy for repeats, which rows are no targets, and how many of a query's
    rows are kept (the last ones kept may all be one basket, or all of weight 0). It
    does not cover what decides something
    else: positive weights (the loss), the windows' sizes (what a target may look
    back on), gates. Nor does it cover the log itself, since a model must be
    comparable with last week's: with the other splits, rows that come in later
    move no row from train into test. For split random they do, one more row moves
    every cut: there it covers the interactions' content too. Rows that go may, with
    any split: without the candidates that left the catalogue, a query's last row is
    an earlier one. `data.gate.unknown_candidates` bounds how many these are.
    """
    said: dict[str, object] = {
        "contract_version": CONTRACT_VERSION,
        "split": config.split.model_dump(mode="json"),
        "columns": config.columns,
        "filter": config.filter,
        "candidates_filter": config.candidates_filter,
        "repeats": config.repeats,
        "no_targets": config.no_targets,
        "max_interactions_per_query": config.max_interactions_per_query,
    }
    if isinstance(config.split, Random):
        said["interactions_sha256"] = interactions_sha256
    if config.everything_is_train:
        said["everything_is_train"] = True
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
