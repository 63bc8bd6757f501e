"""The process of a training with strategy `mirrored`, on two logical devices of the processor in place of GPUs.

usage: python -m tests.pipeline.mirrored_process, with a task on stdin
"""

from components.trainer import process


def main() -> None:
    """Runs the task on stdin."""
    import tensorflow as tf

    from components.trainer import replica
    from components.trainer.team import Team

    [cpu] = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    # Everything but the devices is the product's: it would refuse a machine without GPUs.
    replica.make_team = lambda cluster: Team(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    process.main()


if __name__ == "__main__":
    main()
