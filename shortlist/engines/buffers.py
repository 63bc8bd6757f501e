"""Network buffers of Flink, through which the parts of a step exchange rows."""

from __future__ import annotations

BUFFER_KB = 32
"""Flink's default size of a buffer."""

_LOCAL_MB = 64
# Channels between steps that are open at a time in the widest job. The smoke pipeline runs at parallelism 2 with the
# 2,048 buffers of a local cluster, and fails with them at 8. With this number, 2 requires 2,040 and 8 requires 17,952.
_CHANNELS = 68


def required(parallelism: int) -> int:
    """Returns an estimate of the number of buffers that a pipeline's widest job requires.

    Each part of a step sends to each part of the next one. Per channel between steps and part, Flink 1.18 reserves one
    buffer per receiver and one more, two per sender, and eight that the senders share.

    Args:
      parallelism: The number of parts.
    """
    return _CHANNELS * parallelism * (3 * parallelism + 9)


def local_mb(parallelism: int) -> int:
    """Returns the network memory for a `[local]` cluster, in MB; at least Flink's default of 64."""
    return max(_LOCAL_MB, -(-required(parallelism) * BUFFER_KB // 1024))


def shortage(parallelism: int, buffers: int) -> str | None:
    """Returns a warning if a cluster may have too few buffers; None if it has enough.

    Args:
      parallelism: The number of parts.
      buffers: The number of buffers of the cluster; 0 if it is unknown.
    """
    needed = required(parallelism)
    if not buffers or buffers >= needed:
        return None
    return (
        f"The cluster has {buffers:,} network buffers; parallelism {parallelism} may need {needed:,}. If a step fails "
        "with 'Insufficient number of network buffers', lower beam.parallelism or raise "
        "taskmanager.memory.network.min and .max in Flink's configuration."
    )
