"""Histories in memory beside the rules of the node Windows."""

from __future__ import annotations

import hypothesis
from hypothesis import strategies as st

from server.histories import MemoryHistories
from server.known import encoded
from shortlist import keys, splits

_ROWS = st.lists(
    st.tuples(st.sampled_from("pq"), st.sampled_from("abcd"), st.integers(0, 5), st.integers(0, 1), st.booleans()),
    max_size=14,
)


@hypothesis.settings(deadline=None, max_examples=200)
@hypothesis.given(
    rows=_ROWS, repeats=st.sampled_from(["all", "first", "last"]), length=st.integers(1, 6), before=st.integers(0, 7)
)
def test_a_history_is_the_newest_interactions_without_repeats(rows, repeats, length, before):
    found = MemoryHistories(
        [
            (query, item, time, nanos, encoded({} if is_target else {keys.WEIGHT: 0.0}))
            for query, item, time, nanos, is_target in rows
        ],
        max_events=length,
        repeats=repeats,
    ).find("q", before)
    past = [
        splits.Interaction(time, nanos, b"", row, item.encode(), float(is_target))
        for row, (query, item, time, nanos, is_target) in enumerate(rows)
        if query == "q" and time < before
    ]
    if not any(query == "q" for query, *_ in rows):
        assert found is None
        return
    expected = splits.drop_repeats(past, repeats)[-length:]
    assert [(event.id, event.time, event.features.get(keys.WEIGHT, 1.0)) for event in found.events] == [
        (row.candidate_id.decode(), row.timestamp, row.weight) for row in expected
    ]
    # What is not in the history is known as seen.
    ids = {event.id for event in found.events}
    assert set(found.seen) == {row.candidate_id.decode() for row in past} - ids
