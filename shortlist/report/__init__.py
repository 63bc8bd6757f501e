"""A run's report: facts from files and ML Metadata, as a page or as text.

    facts.read -> sections.run_page -> html.render or text.write

Nothing here imports TensorFlow. matplotlib and Jinja are imported late, as only a page needs them.
"""
