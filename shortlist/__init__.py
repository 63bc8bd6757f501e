"""Shortlist: a TFX pipeline from an interaction log to a served retrieval model.

This package holds what needs neither TFX nor TensorFlow at import time: the
command line, the typed config, errors, fingerprints, data sets, lineage.
`components/` holds one folder a pipeline node, `pipeline/` the DAG itself.
All three import this package first, so that every process, Beam's workers
included, has the environment that TensorFlow needs.
"""

from shortlist import environment

__version__ = "0.1.0"

environment.prepare()
