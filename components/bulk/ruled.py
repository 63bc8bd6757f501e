"""Answers to serialized requests under rules, one by one, as the Python client makes them."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from components.bulk.files import Answers
from components.indexer.queries import parse_window
from shortlist import keys
from shortlist.model_files import CANDIDATES_FILE
from shortlist.serving import filtered
from shortlist.serving.catalogue import Catalogue
from shortlist.serving.client import Recommender


class RuledAnswerer:
    """A served model and the rules of all its answers."""

    def __init__(self, model_dir: str | os.PathLike[str], k: int, exclude_seen: bool, rules: Mapping[str, Any]) -> None:
        """Loads the model.

        Args:
          model_dir: Folder of the version.
          k: Number of candidates per answer.
          exclude_seen: Whether to leave the history out of the answer.
          rules: Arguments of `filtered.parse` by name.

        Raises:
          BadInputError: A rule is wrong.
        """
        folder = pathlib.Path(model_dir)
        self._rules = filtered.parse(folder, k, **rules)
        self._recommender = filtered.RuledRecommender(Recommender(folder), Catalogue(folder / CANDIDATES_FILE))
        self._k = k
        self._exclude_seen = exclude_seen

    def answer(self, requests: Sequence[bytes]) -> Answers:
        """Returns the answers to serialized requests, see `components.bulk.requests`."""
        number = len(requests)
        asked = np.zeros(number, object)
        ids = np.full((number, self._k), b"", object)
        scores = np.zeros((number, self._k), np.float32)
        counts = np.zeros(number, np.int32)
        for line, request in enumerate(requests):
            row = parse_window(request)
            asked[line] = row[keys.QUERY_ID][0]
            row[keys.EXCLUDE] = row.get(keys.HISTORY_IDS, []) if self._exclude_seen else []
            row[keys.ALLOW] = []
            found = self._recommender.recommend(row, self._rules, self._k, {})
            counts[line] = len(found)
            ids[line, : len(found)] = [item.id.encode() for item in found]
            scores[line, : len(found)] = [item.score for item in found]
        return Answers(asked, ids, scores, counts)
