"""Quality benchmark: Shortlist and other models on the same rows, with one evaluator, on one machine.

    make bench-quality                          # MovieLens 100K, every contender, one seed: 20 minutes on 2 cores
    make bench-quality BENCH_ARGS=--full        # all data sets, 3 seeds

Read it in this order:

    split.py         the train, eval and test rows; their hash is committed
    exchange.py      files with rows and scores between the benchmark and a peer; the only module that peers import
    peers/           one script per peer, some in environments of their own
    evaluate.py      ranks and metrics from scores, the same for every peer
    shortlist.py     the product's own pipeline, up to its Trainer
    contenders.py    the compared models, with the settings to try
    trials.py        one contender on one data set with one seed: run, or found in the cache
    ranks.py         the ranks of all trials, in a file beside the results
    lead.py          differences between contenders, with confidence intervals
    table.py         the results as Markdown
    plot.py          the results as a plot
    run.py           the command

docs/benchmarks.md explains the figures and their limits.
"""
