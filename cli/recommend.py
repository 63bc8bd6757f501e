"""`shortlist recommend`: recommendations of the pushed model."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

import typer

from cli.invocation import Invocation
from cli.options import ConfigOption, JsonOption, SetOption
from shortlist.errors import BadInputError
from shortlist.process import limits, resources, stopping

if TYPE_CHECKING:
    from shortlist.serving.client import Recommender
    from shortlist.tables.request import Request


_NAMED = 5


def recommend(
    config: ConfigOption = None,
    set_: SetOption = None,
    query: Annotated[str | None, typer.Option(help="Id of a query (user); a new query if the log lacks it.")] = None,
    history: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID[@TIME],...",
            help="Candidate ids instead of --query, oldest first, as in a line of CSV. Repeat it for ids with commas. "
            'Empty ("") for a new user.',
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Time of the request: ISO 8601, the log's unit, or `now`. Interactions from then on are left out.",
        ),
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="A feature of the request, such as the hour or the device: one with `known_at_request`. Repeat it for "
            "several.",
        ),
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

    By default as of now, if the log has a row of the last 30 days; otherwise
    just after the newest interaction of the history.

    Example: shortlist recommend --query 196 --at 1998-05-01
    Example: shortlist recommend --history 50,181,172
    Example: shortlist recommend --history 50,181 --context device=phone
    """
    if (query is None) == (history is None):
        raise BadInputError("give either --query ID or --history ID,ID,...")
    typed_context = _named(context or [])
    from cli.output import answers, log
    from shortlist import datasets
    from shortlist.serving import client as serving
    from shortlist.serving import served_model
    from shortlist.serving.catalogue import Catalogue
    from shortlist.tables import lookup, request
    from shortlist.workspace import Workspace

    checked_config = Invocation.of(config, set_).load()
    data = checked_config.data
    workspace = Workspace.of(checked_config)
    model_path = served_model.version_path(workspace.serving_dir)
    data_root = datasets.default_data_dir()
    # Versions that were pushed before there were catalogues have none.
    known = Catalogue.of_version(model_path)
    titles = lookup.candidate_titles(data, data_root) if known is None else known
    catalogue = None if known is None else f"the catalogue of version {model_path.name}"
    now = int(time.time())
    if query is not None:
        asked = request.of_query(data, data_root, query, titles, at, now, catalogue)
    else:
        asked = request.of_history(data, data_root, history or [], titles, at, now, catalogue)
    history_ids = [item for item, _ in asked.query.history]

    limits.check_addresses()
    # From here on nothing is written, and TensorFlow crashes if an exception ends its import.
    stopping.end_at_signals()
    with (
        log.redirect_output(workspace.root / "recommend.log", verbose=False, required=False) as terminal,
        terminal.status("Loading the model ..."),
        resources.raises_resource_error(workspace.root),
    ):
        recommender = serving.Recommender(model_path)
        found = recommender.recommend(
            query_id=asked.query.query_id,
            history=asked.query.history,
            k=k,
            exclude_seen=None if include_seen is None else not include_seen,
            query_features=asked.query.features,
            candidates_titles=titles,
            query_time=asked.as_of.time,
            item_features=asked.query.features_of_items(recommender.history_features),
            context=recommender.typed_context(typed_context, "--context"),
        )
        notes = [*asked.notes, *_notes_on_model(recommender, asked, at, typed_context)]
    as_of = asked.as_of.text if recommender.uses_times else None
    source = f"{checked_config.name} version {model_path.name}"
    answers.print_answer(source, [dataclasses.asdict(row) for row in found], history_ids, titles, as_of, notes, as_json)


def _named(values: list[str]) -> dict[str, str]:
    """Returns the texts of `--context` by name."""
    found: dict[str, str] = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not separator or not name:
            raise BadInputError.from_parts("--context", "NAME=VALUE", repr(value), "such as --context device=phone")
        if name in found:
            raise BadInputError.from_parts("--context", "each name once", f"{name!r} twice", "leave one out")
        found[name] = text
    return found


def _notes_on_model(recommender: Recommender, asked: Request, at: str | None, context: Collection[str]) -> list[str]:
    """Returns sentences on what the pushed model does not know or use."""
    from shortlist.quoting import listed

    notes = []
    unknown = recommender.unknown_candidates(list(dict.fromkeys(item for item, _ in asked.query.history)))
    if unknown:
        notes.append(
            f"The pushed model does not know {listed(unknown, _NAMED)}: not in the catalogue that it was made from."
        )
    if at is not None and not recommender.uses_times:
        notes.append("The pushed model does not use times: --at only ends the history.")
    if absent := [name for name in recommender.context_features if name not in context]:
        notes.append(f"The pushed model also reads {listed(absent, _NAMED)} of a request: give --context NAME=VALUE.")
    return notes
