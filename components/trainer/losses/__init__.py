"""The losses of training, one module each.

A new loss is a module here, its name in the import below and its section in `shortlist.config.losses`. The import has
to be written out: a cache key covers the modules that the source names (`shortlist.fingerprints.code_sha256`).
"""

from components.trainer.losses import corpus, in_batch, sampled
from components.trainer.losses.base import TrainingLoss, TwoTowers, make_loss

__all__ = ["TrainingLoss", "TwoTowers", "corpus", "in_batch", "make_loss", "sampled"]
