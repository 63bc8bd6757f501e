"""The served version and the history of pushes."""

from __future__ import annotations

import pytest

from shortlist.errors import BadInputError
from shortlist.lineage import journal
from shortlist.lineage.serving import serving_state
from shortlist.lineage.store import Store
from shortlist.records import nodes
from tests.shortlist.lineage.recorded import Recorded


def test_every_push_has_its_command_and_the_replaced_version(shop):
    answer = serving_state(shop.store, shop.rolled_back)
    found = [(push.version, push.command, push.run_id, push.by, push.replaced, push.copy_of) for push in answer.pushes]
    assert found == [
        (shop.rolled_back, "rollback", "", "bob@host", shop.forced, 1_700_000_000),
        (shop.forced, "push --force", shop.not_blessed, "ann@host", 1_700_000_000, None),
        (1_700_000_000, "run", shop.pushed, "", None, None),
    ]
    assert answer.current is answer.pushes[0]
    assert answer.pushes[1].overridden == {"Evaluator": ["too low"]}


def test_a_rollback_records_the_replaced_version_itself(tmp_path):
    recorded = Recorded(tmp_path)
    facts = {"restored_version": "3", "replaced_version": "55", "reason": "", "by": "bob@host"}
    with journal.Journal(recorded.workspace).step(nodes.ROLLBACK, {}, facts) as step:
        record = {"pushed": 1, "pushed_version": "56", "pushed_destination": "serving/shop/56"}
        step.announce("restored_model", "PushedModel", "x", record)
    # Version 55 was copied there by hand: no record of a push has it.
    [push] = serving_state(Store(recorded.workspace.metadata_path), 56).pushes
    assert (push.version, push.replaced, push.copy_of) == (56, 55, 3)


def test_version_in_the_folder_that_ml_metadata_does_not_know(shop):
    answer = serving_state(shop.store, 42)
    assert (answer.version, answer.current, len(answer.pushes)) == (42, None, 3)


def test_nothing_was_pushed(tmp_path):
    with pytest.raises(BadInputError, match="nothing was pushed from this workspace yet"):
        serving_state(Store(Recorded(tmp_path).workspace.metadata_path), None)
