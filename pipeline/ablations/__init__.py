"""What each part of a recipe is worth: switched off alone, over several seeds, on the same rows.

Read it in this order:

    recipes.py   the config's own recipe and what is switched in it, one thing at a time
    windows.py   the rows: those of the workspace's latest run of the same data
    cells.py     one recipe with one seed: trained and ranked by the Trainer's own core, or found in the cache
    effects.py   how large a difference is, and whether it is more than noise
    table.py     as Markdown and as JSON
    run.py       all of it

docs/ablations.md says what the figures mean and what they do not.
"""
