from __future__ import annotations

import decimal
import time

import pytest

from shortlist.scalars import BadCell
from shortlist.tables import timestamps

NOW = int(time.time())


@pytest.mark.parametrize(
    ("cells", "unit"),
    [
        (["881250949", "891717742"], "seconds"),
        (["881250949000", "891717742000"], "milliseconds"),
        (["881250949000000"], "microseconds"),
        (["881250949000000000"], "nanoseconds"),
        ([881250949, None, 891717742.0, decimal.Decimal("8.9e8"), ""], "seconds"),
        (["631152000"], "seconds"),
        ([str(NOW)], "seconds"),
        (["1", "2", "3"], "order"),
        (["0"], "order"),
        (["20111209"], "dates"),
        ([20231114, "", "20231201"], "dates"),
        # No calendar date, one before 1990, one in the future, and a number of another kind among dates.
        (["20231114", "20231131"], "order"),
        (["19891231"], "order"),
        (["20991231"], "order"),
        (["20231114", "2023"], "order"),
        (["-5", "3", "4"], "order"),
        (["2011-12-09 12:50", "2011-12-09T12:50:00Z"], "iso8601"),
        (["2011-12-09", "", None], "iso8601"),
        # One corrupted cell decides nothing: the reader names its row.
        (["1"] + ["881250949"] * 9, "seconds"),
        (["881250949000"] + ["881250949"] * 9, "seconds"),
        (["x"] + ["881250949"] * 9, "seconds"),
        (["x"] + ["2011-12-09"] * 9, "iso8601"),
        (["881250949"] + ["2011-12-09"] * 9, "iso8601"),
        (["2011-12-09"] + ["881250949"] * 9, "seconds"),
    ],
)
def test_unit(cells, unit):
    assert timestamps.detect(cells, is_time_column=False) == unit


def test_a_time_column_needs_no_unit():
    assert timestamps.detect([5, None], is_time_column=True) == "iso8601"


@pytest.mark.parametrize(
    ("cells", "got", "remedy"),
    [
        (["12/1/2010 8:26"], "'12/1/2010 8:26', in which the order of day and month", '"%d/%m/%Y %H:%M"'),
        (["01.12.2010"], "day and month", '"%d.%m.%Y"'),
        (["12/1/2010 8:26", "12/13/2010 8:26"], "'12/1/2010 8:26'", 'timestamp_format: "%m/%d/%Y %H:%M"'),
        (["13-1-10"], "'13-1-10'", 'timestamp_format: "%d-%m-%y"'),
        (["Sun Jul 30 07:44:10 -0700 2017"], "'Sun Jul", 'timestamp_format: "%a %b %d %H:%M:%S %z %Y"'),
        (["yesterday"], "'yesterday'", "data.interactions.timestamp"),
        (["", None], "only blanks", "data.interactions.timestamp"),
        ([], "only blanks", "data.interactions.timestamp"),
        # 1975 in seconds, or 1970 in milliseconds: ambiguous.
        (["157766400"], "157766400", "timestamp_unit"),
        (["201112091250"], "201112091250", "timestamp_unit"),
        (["40513.5"], "40513.5", "timestamp_unit"),
        ([str(NOW + 10 * 86_400)], "in the middle", "timestamp_unit"),
        (["9" * 100], "in the middle", "timestamp_unit"),
        ([["2011-12-09"]], "['2011-12-09']", "data.interactions.timestamp"),
    ],
)
def test_undecidable_units_have_a_remedy(cells, got, remedy):
    with pytest.raises(BadCell) as refused:
        timestamps.detect(cells, is_time_column=False)
    assert got in refused.value.got
    assert remedy in refused.value.remedy
