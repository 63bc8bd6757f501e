"""`shortlist train-worker`: this machine's part in trainings by several machines."""

from __future__ import annotations

from cli.output import consoles


def train_worker() -> None:
    """Take part in trainings of strategy multi_worker, until Ctrl-C.

    The variable TF_CONFIG names the addresses of all machines and this one's place
    among them; Kubeflow's training operator sets it. The machine needs this package,
    the locked requirements, and the workspace under the same path. Whoever reaches
    the address can read the files of this account: use a network of your own.

    Example: shortlist train-worker
    """
    from components.trainer import cluster, workers
    from shortlist.errors import ConfigError

    found = cluster.from_environment()
    if found is None or not found.number:
        raise ConfigError.from_parts(
            cluster.VARIABLE,
            "the task of a worker other than the first",
            "none" if found is None else "the first one, which is the chief",
            "set it as docs/training.md shows; the chief runs `shortlist run`",
        )
    console = consoles.console(soft_wrap=True)
    console.print(f"Worker {found.number} of {len(found.addresses)} at {found.addresses[found.number]}, until Ctrl-C")
    workers.serve(found, lambda event: console.print(f"Training  {event}"))
