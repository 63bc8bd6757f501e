"""`shortlist worker`: Beam workers for engines that do not start their own."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import consoles


def worker(
    host: Annotated[
        str, typer.Option(help="The interface to listen at. Anybody who can reach it can run code here.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for any free one.")] = 50000,
) -> None:
    """Start workers when a Beam engine requests them, until Ctrl-C.

    For `beam.engine` portable and flink; set `beam.worker_endpoint` to this address.
    The machine needs this package, the locked requirements, and the run's folders
    under the same paths.

    Example: shortlist worker --port 50000
    """
    from shortlist.engines import pool

    console = consoles.console(soft_wrap=True)
    pool.serve(host, port, lambda bound_port: console.print(f"Workers   at {host}:{bound_port}, until Ctrl-C"))
