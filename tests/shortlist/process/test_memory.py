"""Peak memory per part of a run, independent of earlier peaks."""

from shortlist.process.memory import Meter

_MB = 1024 * 1024


def test_peak_starts_anew_and_the_highest_stays():
    meter = Meter()
    meter.start()
    before = meter.peak_mb()
    block = bytearray(200 * _MB)
    with_block = meter.peak_mb()
    assert with_block - before > 150
    del block
    meter.start()
    assert meter.peak_mb() < with_block - 150
    assert meter.highest_mb() >= with_block
