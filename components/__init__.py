"""One folder a pipeline node: component.py, executor.py and cores that know no TFX."""

import shortlist  # noqa: F401  sets the environment before TensorFlow is imported
