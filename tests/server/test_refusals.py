"""Refused versions: which ones are tried again, and when."""

from __future__ import annotations

import pytest

from server.processes import LoadInterruptedError
from server.refusals import Refusals
from shortlist.errors import BadInputError, ResourceError


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_a_version_with_wrong_files_waits_until_they_change():
    clock = Clock()
    refusals = Refusals(clock)
    refusals.add("2", "files", BadInputError("damaged"))
    clock.now += 1e9
    assert refusals.blocks("2", "files")
    assert not refusals.blocks("2", "other files")
    assert not refusals.blocks("1", "files")
    assert refusals.reasons == {"2": "damaged"}


# The process was killed, memory ran out, the loader ended, a network file system failed.
@pytest.mark.parametrize(
    "error", [LoadInterruptedError("killed"), ResourceError("memory"), RuntimeError("ended"), OSError("stale")]
)
def test_a_version_that_may_be_right_is_tried_again_after_a_growing_delay(error):
    clock = Clock()
    refusals = Refusals(clock)
    delays = []
    for _ in range(9):
        refusals.add("2", "files", error)
        start = clock.now
        while refusals.blocks("2", "files"):
            clock.now += 5
            assert clock.now < start + 1_000
        delays.append(clock.now - start)
    assert delays == [10, 20, 40, 80, 160, 320, 600, 600, 600]
    # A version that took traffic begins anew, and so does one whose files turned out to be wrong.
    refusals.accept("2")
    assert refusals.reasons == {}
    refusals.add("2", "files", error)
    clock.now += 10
    assert not refusals.blocks("2", "files")
    refusals.add("2", "files", BadInputError("damaged"))
    clock.now += 1e9
    assert refusals.blocks("2", "files")


def test_versions_that_are_gone_are_forgotten():
    refusals = Refusals()
    for version in ("1", "2", "3"):
        refusals.add(version, "files", BadInputError("damaged"))
    refusals.keep(["2", "4"])
    assert list(refusals.reasons) == ["2"]
    assert not refusals.blocks("3", "files")
