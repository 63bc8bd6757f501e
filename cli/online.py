"""`shortlist online` and `shortlist forget`: the request log of a server."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import JsonOption
from cli.output import consoles

if TYPE_CHECKING:
    from server.online import VariantMetrics
    from shortlist.serving.measured_histories import Quantiles

LogOption = Annotated[
    pathlib.Path, typer.Option("--log", metavar="DIR", help="Folder of the request log: serve.log.folder.")
]


def online(
    log: LogOption,
    event: Annotated[
        list[str] | None, typer.Option(help="Event that counts as a hit; may be repeated. By default all.")
    ] = None,
    model: Annotated[
        pathlib.Path | None,
        typer.Option(metavar="DIR", help="Folder of the versions: puts what they were measured on beside."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure hit rate by version and variant, from a server's request log, and tell when to train again.

    A hit is a request after which something happened to one of the returned
    candidates, as POST /v1/outcome reported it.

    Example: shortlist online --log /var/log/shortlist --event purchase
    Example: shortlist online --log /var/log/shortlist --model serving/shop
    """
    from server import online as metrics
    from shortlist.text_tables import TextColumn, print_table

    found = metrics.measure(log, event or (), model)
    if as_json:
        typer.echo(json.dumps([variant.as_json() for variant in found], indent=2))
        return
    console = consoles.console()
    titles = ["version", "variant", "requests", "hit rate", "95% interval", "unknown items", "popularity"]
    rows = [
        [
            variant.version,
            variant.variant,
            f"{variant.requests:,}",
            f"{variant.hit_rate:.4f}",
            f"{variant.interval[0]:.4f} to {variant.interval[1]:.4f}",
            f"{variant.unknown_share:.1%}",
            f"{variant.fallbacks:,}",
        ]
        for variant in found
    ]
    print_table(console, [TextColumn(title, right=number > 1) for number, title in enumerate(titles)], rows)
    newest = max((one for one in found if one.version == found[0].version), key=lambda one: one.requests)
    console.print(f"\nHistories of version {newest.version}: 10%, 50% and 90% are below")
    print_table(console, [TextColumn(""), TextColumn("requests"), TextColumn("measured on")], _histories(newest))
    console.print(f"\n{newest.advice.sentence}")


def _histories(variant: VariantMetrics) -> list[list[str]]:
    """Returns the lines of the table of histories: those of requests beside those that the version was measured on."""
    from server import retraining

    observed, measured = variant.observed, variant.measured
    lengths = (observed.lengths, None if measured is None else measured.history_length)
    ages = (observed.ages, None if measured is None else measured.newest_age)
    return [
        ["items", *(_text(quantiles, lambda value: f"{value:g}") for quantiles in lengths)],
        ["since the newest item", *(_text(quantiles, retraining.duration) for quantiles in ages)],
    ]


def _text(quantiles: Quantiles | None, shown: Callable[[float], str]) -> str:
    if quantiles is None:
        return "unknown"
    return ", ".join(shown(value) for value in (quantiles.p10, quantiles.p50, quantiles.p90))


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
