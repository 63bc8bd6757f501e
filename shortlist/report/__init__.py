"""The report of a run: facts from files and ML Metadata, made into sections, shown as a page or as text.

    facts.read -> sections.of_run -> html.render or text.write

Nothing here imports TensorFlow; matplotlib and Jinja are imported where a page is made.
"""
