"""Has an engine ready for the time of a run."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Iterator

from shortlist.config import engines
from shortlist.engines import checks
from shortlist.engines.arguments import beam_args


@contextlib.contextmanager
def running_engine(beam: engines.Beam, root: pathlib.Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Checks an engine, starts what it needs, and asks its workers whether they can do the work.

    Args:
      beam: The config's.
      root: The workspace's folder; exists.
      tell: Told what is waited for.

    Raises:
      BadInputError: The engine cannot do a run's work; says why.
    """
    checks.check(beam)
    with contextlib.ExitStack() as stack:
        if isinstance(beam, engines.FlinkBeam):
            from shortlist.engines import flink

            tell("Starting Flink's job server ...")
            stack.enter_context(flink.job_server(beam, root / "flink.log"))
        if not isinstance(beam, engines.DirectBeam):
            from shortlist.engines import probe

            tell("Asking the Beam workers whether they can do the work ...")
            probe.ask(beam_args(beam), root)
        yield
