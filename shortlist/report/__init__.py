"""A run's report: facts from files and ML Metadata, as a page or as text.

    facts.read -> sections.of_run -> html.render or text.write

Nothing here imports TensorFlow; matplotlib and Jinja are imported where a page is made.
"""
