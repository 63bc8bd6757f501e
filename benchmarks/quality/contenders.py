"""The compared models, with their environments and the settings to choose from on eval."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from benchmarks.quality import exchange
from shortlist.config.config import Config
from shortlist.config.model import HistoryTowerSection

PRODUCT = "product"
"""Name of Shortlist's own environment; each other environment has a requirements/bench-*.txt."""
SHORTLIST = "shortlist"
DEFAULT_DATA = "movielens-100k"
_SHORT_EPOCHS = {DEFAULT_DATA: 1 / 3, "movielens-1m": 3 / 8, "amazon-beauty": 1 / 3, "online-retail": 1 / 4}
"""Data set to a share of the preset's epochs that takes at most a third of SASRec's training time."""
_SASREC_EPOCHS = {DEFAULT_DATA: 24, "movielens-1m": 32, "amazon-beauty": 48, "online-retail": 24}
"""Data set to the most epochs of SASRec in small batches, at least the preset's."""
_SHORT_SESSIONS = ("amazon-beauty",)
"""Data sets on which SASRec's padding would take most of its time."""


class Contender(NamedTuple):
    """A compared model."""

    title: str
    environment: str
    script: str
    """Module of `benchmarks.quality`."""
    grid: Callable[[Config], list[exchange.Setting]]
    """Returns the settings to try on a data set, given the product's preset for it."""
    has_seed: bool = True
    """False for a deterministic model."""
    reads_times: bool = False
    """Whether a peer reads times and not only the order of the rows; Shortlist's settings say so themselves."""


def _product(**choices: tuple[Any, ...]) -> list[exchange.Setting]:
    """Returns every combination of the choices."""
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def has_clock(config: Config) -> bool:
    """Returns whether the log has times and not only an order."""
    interactions = config.data.interactions
    return interactions.timestamp is not None and interactions.timestamp_unit != "order"


def reads_query_time(model: str, config: Config) -> bool:
    """Returns whether a contender knows the time of the target that it predicts."""
    contender = CONTENDERS[model]
    if contender.script != SHORTLIST:
        return contender.reads_times and has_clock(config)
    [setting] = contender.grid(config) or [config.model_dump(mode="json")]
    return has_clock(config) and bool(
        setting["model"]["query_time"] or setting["model"]["query_tower"].get("time_intervals")
    )


def _recent_popularity(config: Config) -> list[exchange.Setting]:
    """Returns the time spans to count over; none if the log has an order but no times."""
    if not has_clock(config):
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
    """Returns trainings with the product's dimensions, blocks, heads and length.

    All data sets have one with the product's small batches, which learn more per epoch. It has as many epochs as the
    preset on MovieLens, and twice as many on Online Retail. MovieLens 100K also has one with RecTools' own learning
    rate and batches, which is equally good there.
    """
    tower = config.model.query_tower
    if not isinstance(tower, HistoryTowerSection):
        raise ValueError(f"expected a preset with a history tower to take SASRec's size from, got {tower.kind}")
    size = {
        "model": "sasrec",
        "n_blocks": tower.blocks,
        "n_heads": tower.heads,
        "n_factors": config.model.embedding_dim,
        "session_max_len": config.data.windows.max_history,
        "dropout_rate": 0.2,
    }
    if config.name in _SHORT_SESSIONS:
        size["fast_loss"] = True
    grid: list[exchange.Setting] = []
    if config.name == DEFAULT_DATA:
        grid.append({**size, "batch_size": 64, "lr": 0.001, "stop_after": [10, 20, 30, 40, 50, 60]})
    grid.append(
        {**size, "batch_size": 16, "lr": 0.002, "stop_after": list(range(4, _SASREC_EPOCHS[config.name] + 1, 4))}
    )
    return grid


def _esasrec(config: Config) -> list[exchange.Setting]:
    """Returns eSASRec's published settings, with MovieLens 1M's for the data sets that its authors did not use.

    The README of github.com/blondered/transformer_benchmark has 64 dimensions for Amazon Beauty, the config of the
    published figure 256.
    """
    recipe = {
        "model": "esasrec",
        "fast_loss": True,
        "n_blocks": 2,
        "n_heads": 1,
        "n_factors": 64,
        "session_max_len": config.data.windows.max_history,
        "dropout_rate": 0.1,
        "use_key_padding_mask": True,
        "transformer_layers_kwargs": {"ff_factors_multiplier": 4},
        "loss": "sampled_softmax",
        "n_negatives": 256,
        "batch_size": 128,
        "lr": 0.001,
        "stop_after": list(range(10, 101, 10)),
    }
    if config.name == "amazon-beauty":
        recipe |= {"n_blocks": 1, "dropout_rate": 0.2}
        return [{**recipe, "n_factors": width} for width in (64, 256)]
    return [recipe]


def _hstu(config: Config) -> list[exchange.Setting]:
    """Returns the settings of RecTools' tutorial for its small model on MovieLens 1M.

    Without a clock, the attention has a bias for positions alone.
    """
    return [
        {
            "model": "hstu",
            "fast_loss": True,
            "n_blocks": 2,
            "n_heads": 1,
            "n_factors": 50,
            "session_max_len": config.data.windows.max_history,
            "dropout_rate": 0.2,
            "relative_time_attention": has_clock(config),
            "loss": "sampled_softmax",
            "n_negatives": 128,
            # The temperature of the cosine similarities.
            "lightning_module_kwargs": {"logits_t": 0.05},
            "batch_size": 128,
            "lr": 0.001,
            "stop_after": list(range(10, 101, 10)),
        }
    ]


def _untimed(config: Config) -> list[exchange.Setting]:
    """Returns the preset without its inputs from times, except for their order; none if it has no such inputs."""
    tower = config.model.query_tower.model_copy(update={"time_intervals": False})
    model = config.model.model_copy(update={"query_tower": tower, "query_time": None})
    if model == config.model:
        return []
    return [config.model_copy(update={"model": model}).model_dump(mode="json")]


def _short(config: Config) -> list[exchange.Setting]:
    """Returns the preset with fewer epochs, for at most a third of SASRec's training time."""
    epochs = round(config.train.epochs * _SHORT_EPOCHS[config.name])
    update = {"epochs": epochs, "eval_every_epochs": epochs}
    return [config.model_copy(update={"train": config.train.model_copy(update=update)}).model_dump(mode="json")]


CONTENDERS: Mapping[str, Contender] = {
    "popularity": Contender("most popular", PRODUCT, "peers.popularity", lambda _: [{}], has_seed=False),
    "recent_popularity": Contender(
        "most popular recently",
        PRODUCT,
        "peers.recent_popularity",
        _recent_popularity,
        has_seed=False,
        reads_times=True,
    ),
    "popularity_around": Contender(
        "most popular around the query's time",
        PRODUCT,
        "peers.recent_popularity",
        _popularity_around,
        has_seed=False,
        reads_times=True,
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
    "sasrec": Contender("SASRec (RecTools)", "bench-rectools", "peers.rectools_transformers", _sasrec),
    "esasrec": Contender("eSASRec (RecTools)", "bench-rectools", "peers.rectools_transformers", _esasrec),
    "hstu": Contender("HSTU (RecTools)", "bench-rectools", "peers.rectools_transformers", _hstu, reads_times=True),
    "shortlist_short": Contender("Shortlist, in fewer epochs", PRODUCT, SHORTLIST, _short),
    "shortlist_untimed": Contender("Shortlist, without times", PRODUCT, SHORTLIST, _untimed),
    SHORTLIST: Contender("Shortlist", PRODUCT, SHORTLIST, lambda config: [config.model_dump(mode="json")]),
}
