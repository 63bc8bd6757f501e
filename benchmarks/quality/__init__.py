"""Shortlist beside what people would use instead: the same rows, one evaluator, one machine.

    make bench-quality                          # MovieLens 100K, every contender, one seed: 20 minutes on 2 cores
    make bench-quality BENCH_ARGS=--full        # all data sets, 3 seeds

Read it in this order:

    split.py         the rows: which are train, eval and test; their hash is committed
    exchange.py      how rows reach a peer and scores come back; all that a peer imports of ours
    peers/           one script a peer, in an environment of its own
    evaluate.py      ranks and metrics from scores, the same for every peer
    shortlist.py     the product's own pipeline, up to its Trainer
    contenders.py    who takes part, with which settings
    cells.py         one contender on one data set with one seed: run, or found in the cache
    table.py, plot.py
    run.py           all of it; how sure a difference is, shortlist/metrics/bootstrap.py tells

docs/benchmarks.md says what the figures mean and what they do not.
"""
