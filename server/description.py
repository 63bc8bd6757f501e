"""The description of a served version, for the page and for other clients."""

from __future__ import annotations

import collections
import datetime
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from server.attributes import Attributes
from server.model import LoadedModel
from shortlist.config.features import FeatureType
from shortlist.metrics import names
from shortlist.model_files import TRAINED_FILE
from shortlist.serving import rules
from shortlist.serving.catalogue import Catalogue
from shortlist.serving.evaluation import ServedEvaluation

_MAX_VALUES = 200
_NUM_POPULAR = 6
_SHOWN_K = 10


class Descriptions:
    """Descriptions by version. The last one is kept until the version or its attributes change."""

    def __init__(self) -> None:
        self._last: tuple[LoadedModel, Attributes, list[dict[str, Any]]] | None = None

    def of(self, model: LoadedModel, name: str, has_histories: bool, has_report: bool) -> bytes:
        """Returns the description of a version as JSON.

        Args:
          model: The version.
          name: Name of the served model.
          has_histories: Whether the server knows histories of queries.
          has_report: Whether `/report` has the report of its run.
        """
        corpus = model.corpus
        popular = [] if corpus.popular_rows is None else corpus.popular_rows[:_NUM_POPULAR].tolist()
        pushed_at = datetime.datetime.fromtimestamp(model.pushed_at, datetime.timezone.utc)
        evaluation = model.evaluation
        return orjson.dumps(
            {
                "name": name,
                "version": model.version,
                "pushed_at": pushed_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "candidates": len(corpus.ids),
                "has_titles": corpus.titles is not None,
                "max_k": model.max_k,
                "split": _split(model),
                "refit": None if evaluation is None else evaluation.refit,
                "metric": None if evaluation is None else metric_of(evaluation),
                "attributes": self._attributes(model),
                "popular": [corpus.titled(corpus.ids[row]) for row in popular],
                "has_histories": has_histories,
                "report": "report" if has_report else None,
            }
        )

    def _attributes(self, model: LoadedModel) -> list[dict[str, Any]]:
        attributes, last = model.attributes, self._last
        if last is not None and last[0] is model and last[1] is attributes:
            return last[2]
        catalogue = Catalogue.of_version(model.folder)
        kinds = {} if catalogue is None else catalogue.attributes
        rows = np.arange(len(model.corpus.ids))
        found = []
        for name, kind in sorted(attributes.kinds.items()):
            values = attributes.of_rows([name], rows)[name]
            if kind != rules.NUMBER:
                found.append({"name": name, "kind": "category", **categories_of(values)})
            else:
                of_time = kinds.get(name) is FeatureType.TIMESTAMP
                found.append({"name": name, "kind": "time" if of_time else "number", **range_of(values)})
        self._last = (model, attributes, found)
        return found


def categories_of(values: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Returns the most frequent values with their counts, and the number of all distinct values."""
    counts = collections.Counter(value for items in values for value in set(items))
    best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MAX_VALUES]
    return {"values": [{"value": value, "count": count} for value, count in best], "num_values": len(counts)}


def range_of(values: Sequence[float]) -> dict[str, float | None]:
    """Returns the smallest and the greatest finite number; None if there is none."""
    numbers = np.asarray(values, np.float64)
    finite = numbers[np.isfinite(numbers)]
    return {"min": float(finite.min()), "max": float(finite.max())} if len(finite) else {"min": None, "max": None}


def metric_of(evaluation: ServedEvaluation) -> dict[str, Any] | None:
    """Returns the hit rate at 10, or at the smallest measured K, with that of "most popular"; None without one."""
    with_seen = not evaluation.exclude_seen
    metrics = evaluation.metrics
    for k in (_SHOWN_K, *range(1, 1_001)):
        value = metrics.get(names.top_k(k, with_seen=with_seen))
        if value is not None:
            return {
                "name": f"HR@{k}",
                "k": k,
                "value": value,
                "most_popular": metrics.get(names.top_k(k, names.POPULARITY_FAMILY, with_seen)),
                "rows": int(names.rows_of(metrics, with_seen)),
            }
    return None


def _split(model: LoadedModel) -> str | None:
    """Returns the kind of the split that the model was trained with; None if it is not recorded."""
    try:
        return str(json.loads((model.folder / TRAINED_FILE).read_text(encoding="utf-8"))["config"]["data"]["split"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
