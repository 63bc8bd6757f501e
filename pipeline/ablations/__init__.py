"""Ablations: the effect of each part of a recipe, switched alone, over several seeds, on the same rows.

Read it in this order:

    recipes.py   the config's own recipe, and variants that switch one part each
    windows.py   the rows: those of the workspace's latest run of the same data
    trials.py    one recipe with one seed: trained and ranked by the Trainer's own core, or found in the cache
    effects.py   the size of an effect, with its confidence interval
    table.py     the results as Markdown and as JSON
    run.py       runs the trials and computes the effects

docs/ablations.md explains the figures and their limits.
"""
