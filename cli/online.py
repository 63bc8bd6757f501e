"""`shortlist online` and `shortlist forget`: the request log of a server."""

from __future__ import annotations

import json
import pathlib
from typing import Annotated

import typer

from cli.options import JsonOption
from cli.output import consoles

LogOption = Annotated[
    pathlib.Path, typer.Option("--log", metavar="DIR", help="Folder of the request log: serve.log.folder.")
]


def online(
    log: LogOption,
    event: Annotated[
        list[str] | None, typer.Option(help="Event that counts as a hit; may be repeated. By default all.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure hit rate by version and variant, from a server's request log.

    A hit is a request after which something happened to one of the returned
    candidates, as POST /v1/outcome reported it.

    Example: shortlist online --log /var/log/shortlist --event purchase
    """
    from server import online as metrics
    from shortlist.text_tables import TextColumn, print_table

    found = metrics.measure(log, event or ())
    if as_json:
        typer.echo(json.dumps([variant.as_json() for variant in found], indent=2))
        return
    console = consoles.console()
    titles = ["version", "variant", "requests", "hit rate", "95% interval", "unknown items", "history", "popularity"]
    rows = [
        [
            variant.version,
            variant.variant,
            f"{variant.requests:,}",
            f"{variant.hit_rate:.4f}",
            f"{variant.interval[0]:.4f} to {variant.interval[1]:.4f}",
            f"{variant.unknown_share:.1%}",
            f"{variant.median_history:g}",
            f"{variant.fallbacks:,}",
        ]
        for variant in found
    ]
    print_table(console, [TextColumn(title, right=number > 1) for number, title in enumerate(titles)], rows)
    for variant in found:
        if variant.is_out_of_date:
            console.print(
                f"Version {variant.version} does not know {variant.unknown_share:.1%} of the histories' items: "
                "train again with today's catalogue."
            )
            break


def forget(
    log: LogOption, query: Annotated[str, typer.Option(metavar="ID", help="Id of the query (user) to forget.")]
) -> None:
    """Delete a query's requests and outcomes from a server's request log.

    It needs the server's key in SHORTLIST_LOG_KEY.

    Example: shortlist forget --log /var/log/shortlist --query 196
    """
    from server import request_log

    deleted = request_log.forget(log, request_log.key_from_environment(), query)
    typer.echo(f"{deleted:,} rows deleted")
