from __future__ import annotations

import pytest

from components.windows.from_config import windows_config_from
from components.windows.windows_config import split_fingerprint
from shortlist.config.data import Data
from shortlist.config.gate import Check, Gate
from shortlist.config.split import LeaveLastBasket, Random, Split, Temporal


def data(
    split: Split | None = None,
    gate: Gate | None = None,
    cap: int = 100,
    kept: str | None = None,
    **log: object,
) -> Data:
    return Data.model_validate(
        {
            "interactions": {"path": "log.csv", **log},
            "candidates": {"path": "items.csv", "filter": kept},
            "schemas": "schemas",
            "max_interactions_per_query": cap,
            **({"split": split} if split else {}),
            **({"gate": gate} if gate else {}),
        }
    )


def fingerprint(of: Data, content: str = "a") -> str:
    return split_fingerprint(windows_config_from(of), content)


@pytest.mark.parametrize(
    "other",
    [
        data(split=LeaveLastBasket()),
        data(split=Temporal(eval_from=1, test_from=2)),
        data(timestamp="shipped_at"),
        data(query_id="household"),
        data(candidate_id="article"),
        data(timestamp_format="%m/%d/%Y"),
        data(header=False, columns=["query_id", "candidate_id", "timestamp"]),
        data(filter="rating >= 4"),
        data(kept="in_stock == 1"),
        data(repeats="first"),
        data(cap=99),
        data(weight={"column": "weight"}),  # any row may have weight 0
        data(weight={"column": "event", "values": {"view": 0, "buy": 1}}),
    ],
    ids=str,
)
def test_settings_that_decide_the_held_out_rows_change_the_fingerprint(other: Data):
    assert fingerprint(other) != fingerprint(data())


def test_values_of_weight_0_change_the_fingerprint():
    view, cart = (
        data(weight={"column": "event", "values": {"view": 1, "cart": 1, "buy": 1, name: 0}})
        for name in ("view", "cart")
    )
    assert fingerprint(view) != fingerprint(cart)


@pytest.mark.parametrize(
    "other",
    [
        data(weight={"column": "event", "values": {"view": 1, "buy": 10}}),
        data(delimiter=";", encoding="cp1252"),
        data(gate=Gate(unknown_candidates=Check(threshold=0.5, action="warn"))),
    ],
    ids=["positive weights", "text format", "gate"],
)
def test_other_settings_keep_the_fingerprint(other: Data):
    assert fingerprint(other) == fingerprint(data())


def test_the_content_matters_only_where_it_moves_the_cuts():
    assert fingerprint(data(), "a") == fingerprint(data(), "b")
    assert fingerprint(data(split=Random()), "a") != fingerprint(data(split=Random()), "b")
    assert fingerprint(data(split=Random(seed=1))) != fingerprint(data(split=Random(seed=2)))
    early, late = (data(split=Temporal(eval_from=1, test_from=test_from)) for test_from in (2, 3))
    assert fingerprint(early) != fingerprint(late)


def test_spans_are_fingerprinted_by_their_rule():
    spans = Temporal(eval_spans=1, test_spans=1)
    others = [Temporal(eval_spans=1, test_spans=2), Temporal(eval_spans=2, test_spans=1)]
    others += [Temporal(eval_spans=1, test_spans=1, span="week"), Temporal(eval_from=1, test_from=2)]
    assert len({fingerprint(data(split=split)) for split in (spans, *others)}) == 5
    # A longer log moves the cuts, and a model is still comparable with yesterday's.
    assert fingerprint(data(split=spans), "a") == fingerprint(data(split=spans), "b")


def test_fixed_cuts_keep_the_fingerprint_of_earlier_versions():
    # Made before there were spans.
    known = "de589ccc39a45b0110b85f44762fab670b570b598a91b2294e1a69f585eb6122"
    assert fingerprint(data(split=Temporal(eval_from=1, test_from=2))) == known


def test_windows_without_held_out_rows_have_their_own_fingerprint():
    everything = windows_config_from(data(), everything_is_train=True)
    assert split_fingerprint(everything, "a") != fingerprint(data())
