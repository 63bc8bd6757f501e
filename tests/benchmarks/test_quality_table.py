from __future__ import annotations

from benchmarks.quality import table


def record(model, seed, top_10, seconds=2.0, rate=None, busy=False, **setting):
    return {
        "data": "movielens-100k",
        "model": model,
        "seed": seed,
        "protocol": "leave_last_out",
        "query_time": model == "hstu",
        "top_1": 0.01,
        "top_10": top_10,
        "top_100": 0.5,
        "ndcg_10": 0.05,
        "train_seconds": seconds,
        "targets_per_second": rate,
        "machine": {"busy": busy},
        "setting": setting,
        "tried": [{"setting": setting}, {"setting": dict.fromkeys(setting, "other")}],
    }


def test_a_line_a_contender_worst_first_with_the_range_over_seeds():
    records = [
        record("ease", 1, 0.15, l2=100),
        record("sasrec", 1, 0.20, 100.0, 1000, epochs=40),
        record("sasrec", 2, 0.22, 200.0, 3000, busy=True, epochs=50),
        record("popularity", 1, 0.08),
        record("hstu", 1, 0.3),
    ]
    *_, first, second, third, fourth = table.table(records).splitlines()
    assert first == "| most popular | no | 1 | 0.0100 | 0.0800 | 0.5000 | 0.0500 | 2.0 |  |  |"
    assert second == "| EASE | no | 1 | 0.0100 | 0.1500 | 0.5000 | 0.0500 | 2.0 |  | l2 100 |"
    assert third == (
        "| SASRec (RecTools) | no | 2 | 0.0100 (0.0100 to 0.0100) | 0.2100 (0.2000 to 0.2200) "
        "| 0.5000 (0.5000 to 0.5000) | 0.0500 (0.0500 to 0.0500) | 150.0\\* | 2,000\\* | epochs 40; epochs 50 |"
    )
    assert fourth.startswith("| HSTU (RecTools) | yes | 1 |")


def test_differences_stand_below_and_busy_times_are_explained():
    results = {
        "records": [record("shortlist", 1, 0.21, busy=True)],
        "differences": [
            {
                "data": "movielens-100k",
                "of": of,
                "against": "ease",
                "metric": metric,
                "seeds": {of: [1, 2], "ease": [1]},
                "mean": 0.07,
                "low": -0.05,
                "high": 0.09,
            }
            for of in ("shortlist", "shortlist_short")
            for metric in ("top_10", "top_100")
        ],
    }
    text = table.document(results)
    assert "## movielens-100k\n\nleave_last_out.\n\n| |" in text
    assert "\\* Another process had more than a tenth of the cores" in text
    line = "| EASE | 2 and 1 | +0.0700 (-0.0500 to +0.0900) | +0.0700 (-0.0500 to +0.0900) |"
    for title in ("Shortlist", "Shortlist, in fewer epochs"):
        assert f"| {title} less | seeds | top_10 (95%) | top_100 (95%) |\n|---|---:|---|---|\n{line}" in text


def test_what_the_files_lack_is_told_once():
    noted = [record("ease", 1, 0.1) | {"note": "61% exact"}, record("sasrec", 1, 0.2) | {"note": "61% exact"}]
    text = table.document({"records": noted, "differences": []})
    assert "leave_last_out.\n\nNote: 61% exact.\n\n| |" in text
