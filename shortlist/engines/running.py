"""Start and stop of an engine around a run."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Iterator

from shortlist.config import engines
from shortlist.engines import buffers, checks, cluster, failures
from shortlist.engines.arguments import beam_args
from shortlist.process import ports


@contextlib.contextmanager
def running_engine(
    beam: engines.Beam,
    root: pathlib.Path,
    show_status: Callable[[str], None],
    warn: Callable[[str], None],
) -> Iterator[None]:
    """Checks an engine, starts its servers, and tests its workers. Jobs that have not ended after it are cancelled.

    Args:
      beam: The config's section `beam`.
      root: The workspace's folder; must exist.
      show_status: Called with a line for the user before each wait.
      warn: Called with each warning.

    Raises:
      BadInputError: The engine cannot run a pipeline.
    """
    checks.check(beam)
    with contextlib.ExitStack() as stack:
        if isinstance(beam, engines.FlinkBeam):
            from shortlist.engines import flink, pool

            show_status("Starting Flink's job server ...")
            _warn_of_buffers(beam, warn)
            pid = stack.enter_context(flink.job_server(beam, root / failures.LOG_FILE))
            _warn_of_ports(pid, warn)
            # Without an external pool, Beam starts one in this process.
            stack.enter_context(pool.loopback_only())
        if isinstance(beam, (engines.PortableBeam, engines.FlinkBeam)):
            # Imported late, as they import Beam, which takes seconds.
            from shortlist.engines import jobs, probe

            stack.enter_context(jobs.cancelled_at_end(lambda names: _cancel(beam, names)))
            show_status("Testing the Beam workers ...")
            probe.check_workers(beam, beam_args(beam), root)
        yield


def _warn_of_buffers(beam: engines.FlinkBeam, warn: Callable[[str], None]) -> None:
    if beam.master != engines.LOCAL_FLINK:
        shortage = buffers.shortage(beam.parallelism, cluster.Cluster(beam.master).network_buffers())
        if shortage is not None:
            warn(shortage)


def _warn_of_ports(pid: int, warn: Callable[[str], None]) -> None:
    """Warns of ports that other machines can reach: Beam's servers bind every interface, whatever `--job-host` says."""
    reachable = ports.reachable_ports(pid)
    if reachable:
        warn(
            f"Flink's job server listens on every network interface, at {', '.join(map(str, reachable))} and one port "
            "per worker; who reaches one can run code here. Block them by a firewall, see docs/security.md."
        )


def _cancel(beam: engines.Beam, names: set[str]) -> None:
    if isinstance(beam, engines.FlinkBeam) and beam.master != engines.LOCAL_FLINK:
        from shortlist.engines import jobs

        cluster.Cluster(beam.master).cancel(names, jobs.CANCEL_SECONDS)
