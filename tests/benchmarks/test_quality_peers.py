"""Peers by hand: what each may look at, and the scores it then gives."""

from __future__ import annotations

import numpy as np

from benchmarks.quality import exchange
from benchmarks.quality.peers import recent_popularity

_DAY = 86_400


def rows(*found):
    query, candidate, time = zip(*found, strict=True)
    return exchange.Rows(np.array(query, np.int32), np.array(candidate, np.int32), np.array(time, np.int64))


def test_what_was_popular_of_late_ends_before_the_moment_of_the_query():
    split = exchange.Split(
        3,
        4,
        train=rows((0, 0, 0), (0, 1, 9 * _DAY), (1, 1, 9 * _DAY), (1, 2, 10 * _DAY), (2, 3, 10 * _DAY + 1)),
        eval=rows((0, 2, 10 * _DAY), (1, 3, 11 * _DAY)),
        test=rows((0, 3, 12 * _DAY), (2, 1, 10 * _DAY)),
    )
    three, twenty = recent_popularity.fit(split, [{"days": 3}, {"days": 20}], seed=1)
    # Query 0 is asked on day 10: what is of that moment does not count, nor what is of day 0.
    assert three.score("eval").tolist() == [[0, 2, 0, 0], [0, 2, 1, 1]]
    assert twenty.score("eval").tolist() == [[1, 2, 0, 0], [1, 2, 1, 1]]
    # Of the queries that have a test row: 0 and 2.
    assert three.score("test").tolist() == [[0, 2, 1, 1], [0, 2, 0, 0]]
