"""GPUs of this machine, as TensorFlow finds them."""

from __future__ import annotations

import tensorflow as tf

from shortlist.errors import ConfigError


def check_gpus() -> None:
    """Checks that strategy `mirrored` has GPUs to train on.

    Raises:
      ConfigError: TensorFlow finds fewer than two.
    """
    found = len(tf.config.list_physical_devices("GPU"))
    if found < 2:
        raise ConfigError.from_parts(
            "train.strategy",
            "two GPUs or more for mirrored",
            f"{found} that TensorFlow finds (`shortlist doctor`)",
            "use multi_worker, or none",
        )
