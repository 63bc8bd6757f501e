from __future__ import annotations

from benchmarks import direct_runner


def test_copies_have_their_own_queries_and_the_same_catalogue(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "candidates.csv").write_text("item_id\n1\n")
    (source / "interactions.csv").write_text("user_id,item_id,timestamp\n7,1,5\n8,1,6\n")
    (source / "queries.csv").write_text('user_id,job\n7,"a, b"\n')
    direct_runner.replicate(source, tmp_path / "target", 2)
    assert (tmp_path / "target/candidates.csv").read_text() == "item_id\n1\n"
    assert (tmp_path / "target/interactions.csv").read_text() == (
        "user_id,item_id,timestamp\n0-7,1,5\n0-8,1,6\n1-7,1,5\n1-8,1,6\n"
    )
    assert (tmp_path / "target/queries.csv").read_text() == 'user_id,job\n0-7,"a, b"\n1-7,"a, b"\n'


def test_the_table_adds_up_seconds_and_takes_the_highest_peak():
    run = {
        "interactions": 100_000,
        "megabytes": 2.1,
        "seconds": {
            "fingerprints": 1.0,
            "InteractionsGen": 4.0,
            "QueriesGen": 2.0,
            "QueriesStatistics": 3.0,
            "Windows": 9,
        },
        "peak_mb": {"InteractionsGen": 900, "QueriesGen": 800, "QueriesStatistics": 1000, "Windows": 1100},
        "peak_rss_mb": 1200,
    }
    *_, first, second = direct_runner.table([run, {"interactions": 10**6, "failed": "exit code 137"}]).splitlines()
    assert first == "| 100,000 | 2 | 6 | 3 | 9 | 19 | 900 | 1,000 | 1,100 | 1,200 |"
    assert second == "| 1,000,000 | exit code 137 |"
