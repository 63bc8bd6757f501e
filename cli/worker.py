"""`shortlist worker`: Beam workers for an engine that starts none itself."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console


def worker(
    host: Annotated[
        str, typer.Option(help="The interface to listen at. Whoever reaches it can run code here.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 is one that is free.")] = 50000,
) -> None:
    """Start workers when a Beam engine asks for them, until Ctrl-C.

    For `beam.engine` portable and flink: `beam.worker_endpoint` names it. It
    needs this package and the locked stack, and the run's folders under the
    same paths.

    Example: shortlist worker --port 50000
    """
    from shortlist.engines import pool

    console = Console(highlight=False, soft_wrap=True)
    pool.serve(host, port, lambda bound: console.print(f"Workers   at {host}:{bound}, until Ctrl-C"))
