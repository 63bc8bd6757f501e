"""Start and stop of an engine around a run."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Iterator

from shortlist.config import engines
from shortlist.engines import checks
from shortlist.engines.arguments import beam_args


@contextlib.contextmanager
def running_engine(beam: engines.Beam, root: pathlib.Path, show_status: Callable[[str], None]) -> Iterator[None]:
    """Checks an engine, starts its servers, and tests its workers.

    Args:
      beam: The config's section `beam`.
      root: The workspace's folder; must exist.
      show_status: Called with a line for the user before each wait.

    Raises:
      BadInputError: The engine cannot run a pipeline.
    """
    checks.check(beam)
    with contextlib.ExitStack() as stack:
        if isinstance(beam, engines.FlinkBeam):
            from shortlist.engines import flink, pool

            show_status("Starting Flink's job server ...")
            stack.enter_context(flink.job_server(beam, root / "flink.log"))
            # Without an external pool, Beam starts one in this process.
            stack.enter_context(pool.loopback_only())
        if not isinstance(beam, engines.DirectBeam):
            # Imported late, as it imports Beam, which takes seconds.
            from shortlist.engines import probe

            show_status("Testing the Beam workers ...")
            probe.check_workers(beam_args(beam), root)
        yield
