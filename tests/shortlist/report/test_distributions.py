"""Rows by value: exact for whole numbers, called estimates elsewhere; years and times are written as such."""

from __future__ import annotations

import calendar
import re

import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from shortlist.report import histograms
from shortlist.report.sections import distributions


def _dataset(name, low, high, *buckets):
    dataset = statistics_pb2.DatasetFeatureStatistics(num_examples=100)
    feature = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.FLOAT)
    feature.path.step.append(name)
    feature.num_stats.min, feature.num_stats.max = low, high
    histogram = feature.num_stats.histograms.add(type=statistics_pb2.Histogram.STANDARD)
    for first, last, rows in buckets:
        histogram.buckets.add(low_value=first, high_value=last, sample_count=rows)
    return dataset


def _table(dataset, counts):
    return distributions.figure(distributions.found_in("interactions", dataset, counts)).table


def test_whole_numbers_are_counted_and_estimates_called_so():
    dataset = _dataset("rating", 1, 5, (1.0, 3.0, 41.2), (3.0, 5.0, 58.8))
    counted = _table(dataset, {"rating": [(1.0, 6), (4.0, 34_174), (5.0, 20)]})
    assert counted.caption == "Rows by value"
    assert [row[1:] for row in counted.rows] == [["1", "6"], ["4", "34,174"], ["5", "20"]]
    estimated = _table(dataset, {})
    assert "estimates of TFDV" in estimated.caption
    assert [row[1:] for row in estimated.rows] == [["1 to 3", "about 41"], ["3 to 5", "about 59"]]


def test_many_whole_numbers_are_counted_in_ranges_and_years_have_no_separator():
    counts = [(float(year), 2) for year in range(1922, 1999)]
    table = _table(_dataset("release_year", 1922, 1998), {"release_year": counts})
    # 77 years in ranges of ceil(77 / 10) = 8; the tenth begins at 1922 + 9 x 8 = 1994.
    assert table.rows[0][1:] == ["1922 to 1929", "16"]
    assert table.rows[-1][1:] == ["1994 to 1998", "10"]
    assert sum(int(row[2]) for row in table.rows) == 2 * 77
    # 3,000 rows of a number that is no year keep their separator.
    prices = _table(_dataset("price", 1000, 3000), {"price": [(1000.0, 1), (3000.0, 3_000)]})
    assert [row[1:] for row in prices.rows] == [["1,000", "1"], ["3,000", "3,000"]]


@pytest.mark.parametrize(
    ("days", "labels", "first"),
    [
        (200, ["1997-09", "1997-12", "1998-04"], "1997-09-20 to 1997-12-29"),
        (2, ["09-20 00:00", "09-21 00:00", "09-22 00:00"], "1997-09-20 00:00 to 1997-09-21 00:00"),
    ],
)
def test_times_are_dates_in_the_table_and_on_the_axis(days, labels, first):
    start = float(calendar.timegm((1997, 9, 20, 0, 0, 0)))
    middle, end = start + days / 2 * 86400, start + days * 86400
    dataset = _dataset("timestamp", start, end, (start, middle, 1), (middle, end, 2))
    [item] = distributions.found_in("interactions", dataset, {})
    assert distributions.figure([item]).table.rows[0][1] == first
    drawn = histograms.distribution(item)
    assert [text for text in re.findall(r">([^<>]+)</text>", drawn) if text != item.feature] == labels
