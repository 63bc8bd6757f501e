"""`shortlist recommend`: recommendations of the pushed model."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from cli.output import consoles
from shortlist.errors import BadInputError
from shortlist.sanitize import plain


def recommend(
    config: ConfigOption = DEFAULT_CONFIG,
    query: Annotated[str | None, typer.Option(help="Id of a query (user) in the interactions.")] = None,
    history: Annotated[
        str | None, typer.Option(help="Candidate ids, oldest first, separated by commas; instead of --query.")
    ] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=10_000, help="Number of candidates.")] = 10,
    include_seen: Annotated[
        bool | None,
        typer.Option(
            "--include-seen/--exclude-seen",
            help="Recommend items of the history, too, as metrics `with seen` measure. Default: as the gates do.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Recommend candidates for a query of the data, or for a given history.

    Example: shortlist recommend --query 196
    Example: shortlist recommend --history 50,181,172
    """
    if (query is None) == (history is None):
        raise BadInputError("give either --query ID or --history ID,ID,...")
    from cli.output import log
    from shortlist import datasets
    from shortlist.config.load import load_config
    from shortlist.serving import client as serving
    from shortlist.tables import lookup
    from shortlist.workspace import Workspace

    checked_config = load_config(config)
    workspace = Workspace.of(checked_config)
    model_path = serving.version_path(workspace.serving_dir)
    data_root = datasets.default_data_dir()
    titles = lookup.candidate_titles(checked_config.data, data_root)
    if query is not None:
        known_query, _ = lookup.Log(checked_config.data, data_root).find(query, titles)
        if not known_query.is_known:
            log_path = checked_config.data.interactions.path
            consoles.console(stderr=True).print(
                plain(f"Query {query!r} is not in {log_path}; answered as a new query, from its features alone"),
                soft_wrap=True,
            )
    else:
        known_query = lookup.Query.from_history([item.strip() for item in (history or "").split(",") if item.strip()])
    # Only typed ids can be wrong: the log of a known query may have candidates that left the catalogue.
    unknown = [item for item, _ in known_query.history if item not in titles]
    if history is not None and unknown:
        raise BadInputError(f"--history: {unknown[0]!r} is not a candidate id of {checked_config.data.candidates.path}")

    with log.redirect_output(workspace.root / "recommend.log", verbose=False):
        answers = serving.recommend(
            model_path,
            query_id=known_query.query_id,
            history=known_query.history,
            k=k,
            exclude_seen=None if include_seen is None else not include_seen,
            query_features=known_query.features,
            candidates_titles=titles,
        )
    rows = [dataclasses.asdict(answer) for answer in answers]
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    _print_table(rows, [item for item, _ in known_query.history], titles)


def _print_table(rows: list[dict[str, Any]], history_ids: list[str], titles: dict[str, str | None]) -> None:
    console = consoles.console()
    recent = [plain(titles.get(item) or item) for item in history_ids[-3:]]
    console.print(f"History: {len(history_ids)} interactions; the last: {', '.join(recent) or 'none'}")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("rank", "id", "score"):
        table.add_column(column, justify="right")
    table.add_column("title")
    for row in rows:
        # Text, since rich reads strings as markup: "[rec]" would vanish, and "[/]" would be an error.
        cells = [str(row["rank"]), plain(row["id"]), f"{row['score']:.3f}", plain(row["title"] or "")]
        table.add_row(*map(Text, cells))
    console.print(table)
