"""The foundation of Shortlist; needs neither TFX nor TensorFlow at import time.

`components/` holds one folder per pipeline node, `pipeline/` the DAG,
`cli/` the commands. All three import this package first, so that every process,
Beam's workers included, has the environment that TensorFlow needs.
"""

from shortlist import environment

__version__ = "0.1.0"

environment.prepare()
