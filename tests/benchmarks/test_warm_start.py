"""Table of the warm start against training from scratch."""

from benchmarks.warm_start import table

TOP_10 = "factorized_top_k/top_10_categorical_accuracy"


def cell(span, seed, chain, hit_rate, epochs, seconds):
    return {
        "span": span,
        "seed": seed,
        "chain": chain,
        "new_candidates": 7,
        "train_rows": 1_000,
        "metrics": {TOP_10: hit_rate},
        "training": {"epochs": epochs, "seconds": seconds},
    }


def test_a_row_compares_the_seeds_that_have_both_trainings():
    cells = [
        cell(1, 1, "scratch", 0.5, 12, 100.0),
        cell(2, 1, "scratch", 0.10, 12, 100.0),
        cell(2, 1, "warm", 0.12, 3, 30.0),
        cell(2, 2, "scratch", 0.10, 12, 100.0),
        cell(2, 2, "warm", 0.10, 3, 20.0),
        # Its pair is missing.
        cell(3, 1, "scratch", 0.2, 12, 100.0),
    ]
    lines = table.markdown(cells).splitlines()
    # Differences 0.02 and 0.00: mean 0.01, standard deviation 0.0141, divided by the root of 2.
    assert lines[2:] == [
        "| 2 | 1,000 | 7 | 2 | 0.1000 | 0.1100 | +0.0100 ± 0.0100 | 12, 3 | 100, 25 | 0.25 |",
    ]
    one = table.markdown([one for one in cells if one["seed"] == 1]).splitlines()
    assert one[2] == "| 2 | 1,000 | 7 | 1 | 0.1000 | 0.1200 | +0.0200 | 12, 3 | 100, 30 | 0.30 |"
