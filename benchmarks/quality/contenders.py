"""Who takes part, where each runs, and the settings that eval chooses from."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from benchmarks.quality import exchange
from shortlist.config.config import Config
from shortlist.config.model import HistoryTowerSection

PRODUCT = "product"
"""The environment of Shortlist itself; any other is one of requirements/bench-*.txt."""
SHORTLIST = "shortlist"
DEFAULT_DATA = "movielens-100k"
_IN_A_THIRD_OF_SASRECS_TIME = {DEFAULT_DATA: 1 / 3, "movielens-1m": 3 / 4, "online-retail": 1 / 4}
"""Data set to a share of the preset's epochs."""


class Contender(NamedTuple):
    """A model that is compared."""

    title: str
    environment: str
    script: str
    """Module of `benchmarks.quality`."""
    grid: Callable[[Config], list[exchange.Setting]]
    """Returns the settings to try on a data set, given the product's preset for it."""
    has_seed: bool = True
    """False where a fit always gives the same model."""


def _product(**choices: tuple[Any, ...]) -> list[exchange.Setting]:
    """Returns every combination of the choices."""
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def _recent_popularity(config: Config) -> list[exchange.Setting]:
    """Returns the spans to count over; none where the times are no times."""
    if config.data.interactions.timestamp_unit == "order":
        return []
    return _product(days=(3, 7, 14, 30, 60, 120))


def _popularity_around(config: Config) -> list[exchange.Setting]:
    return [{**setting, "around": True} for setting in _recent_popularity(config)]


def _item_knn(config: Config) -> list[exchange.Setting]:
    return _product(model=("item_knn",), K=(2, 3, 5, 10, 20, 50, 100, 200))


def _ease(config: Config) -> list[exchange.Setting]:
    return _product(l2=(50, 100, 200, 500, 1000, 2000))


def _ials(config: Config) -> list[exchange.Setting]:
    return _product(
        model=("ials",), factors=(64, 128, 256), alpha=(0.5, 1, 5), regularization=(1.0, 10.0, 100.0), iterations=(15,)
    )


def _bpr(config: Config) -> list[exchange.Setting]:
    return _product(
        model=("bpr",), factors=(64,), learning_rate=(0.005, 0.01, 0.02), regularization=(0.01,), iterations=(50, 100)
    )


def _sasrec(config: Config) -> list[exchange.Setting]:
    """Returns trainings of the product's dimensions, blocks, heads and length.

    One with RecTools' own rate and batches, on MovieLens 100K alone, where the two are equally good, and one with the
    product's small batches, which learn more from an epoch: there for up to as many epochs as the preset has, on the
    larger data sets for twice as many, since its rate does not fall and eval still rises after those.
    """
    tower = config.model.query_tower
    if not isinstance(tower, HistoryTowerSection):
        raise ValueError(f"expected a preset with a history tower to take SASRec's size from, got {tower.kind}")
    size = {
        "n_blocks": tower.blocks,
        "n_heads": tower.heads,
        "n_factors": config.model.embedding_dim,
        "session_max_len": config.data.windows.max_history,
        "dropout_rate": 0.2,
    }
    own_rate = {**size, "batch_size": 64, "lr": 0.001, "stop_after": [10, 20, 30, 40, 50, 60]}
    is_quick = config.name == DEFAULT_DATA
    epochs = config.train.epochs * (1 if is_quick else 2)
    small = {**size, "batch_size": 16, "lr": 0.002, "stop_after": list(range(4, epochs + 1, 4))}
    return [own_rate, small] if is_quick else [small]


def _untimed(config: Config) -> list[exchange.Setting]:
    """Returns the preset without what it reads of times, but for their order; none where it reads nothing else."""
    tower = config.model.query_tower.model_copy(update={"time_intervals": False})
    model = config.model.model_copy(update={"query_tower": tower, "query_time": None})
    if model == config.model:
        return []
    return [config.model_copy(update={"model": model}).model_dump(mode="json")]


def _short(config: Config) -> list[exchange.Setting]:
    """Returns the preset with as many epochs as take at most a third of SASRec's time."""
    epochs = round(config.train.epochs * _IN_A_THIRD_OF_SASRECS_TIME[config.name])
    update = {"epochs": epochs, "eval_every_epochs": epochs}
    return [config.model_copy(update={"train": config.train.model_copy(update=update)}).model_dump(mode="json")]


CONTENDERS: Mapping[str, Contender] = {
    "popularity": Contender("most popular", PRODUCT, "peers.popularity", lambda _: [{}], has_seed=False),
    "recent_popularity": Contender(
        "most popular of late", PRODUCT, "peers.recent_popularity", _recent_popularity, has_seed=False
    ),
    "popularity_around": Contender(
        "most popular around the moment", PRODUCT, "peers.recent_popularity", _popularity_around, has_seed=False
    ),
    "item_knn": Contender("item kNN (implicit)", "bench-implicit", "peers.implicit_models", _item_knn, has_seed=False),
    "ease": Contender("EASE", PRODUCT, "peers.ease", _ease, has_seed=False),
    "ials": Contender("iALS (implicit)", "bench-implicit", "peers.implicit_models", _ials),
    "bpr": Contender("BPR (implicit)", "bench-implicit", "peers.implicit_models", _bpr),
    "tfrs_tutorial": Contender(
        "TFRS basic retrieval tutorial",
        PRODUCT,
        "peers.tfrs_tutorial",
        lambda _: [{"dimension": 32, "learning_rate": 0.1, "batch_size": 8192, "epochs": 3}],
    ),
    "sasrec": Contender("SASRec (RecTools)", "bench-rectools", "peers.rectools_sasrec", _sasrec),
    "shortlist_short": Contender("Shortlist, in fewer epochs", PRODUCT, SHORTLIST, _short),
    "shortlist_untimed": Contender("Shortlist, not told any time", PRODUCT, SHORTLIST, _untimed),
    SHORTLIST: Contender("Shortlist", PRODUCT, SHORTLIST, lambda config: [config.model_dump(mode="json")]),
}
