"""`shortlist bulk` and `shortlist similar-items`: answers of the pushed model for everybody and everything."""

from __future__ import annotations

import dataclasses
import enum
import json
import pathlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.folders import relative
from cli.invocation import Invocation
from cli.options import ConfigOption, JsonOption, SetOption, VerboseOption
from cli.output import consoles
from shortlist.errors import BadInputError
from shortlist.process import limits
from shortlist.quoting import short_repr

if TYPE_CHECKING:
    from pipeline.bulk import BulkOptions
    from pipeline.bulk_job import BulkResult
    from shortlist.config.config import Config
    from shortlist.workspace import Workspace


_RULES = ("filter", "diversity", "boost", "promote")


class Format(str, enum.Enum):
    """Format of the files."""

    PARQUET = "parquet"
    JSONL = "jsonl"


FormatOption = Annotated[Format, typer.Option("--format", help="Format of the files.")]
ShardsOption = Annotated[int, typer.Option("--shards", min=1, max=100_000, help="Number of files.")]
KOption = Annotated[int, typer.Option("--k", "-k", min=1, max=10_000, help="Number of candidates.")]


def bulk(
    config: ConfigOption = None,
    set_: SetOption = None,
    queries: Annotated[
        pathlib.Path | None, typer.Option(metavar="FILE", help="Text file with an id per line; by default all queries.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Time of the requests, as of `recommend --at`.")
    ] = None,
    k: KOption = 10,
    include_seen: Annotated[
        bool | None,
        typer.Option(
            "--include-seen/--exclude-seen", help="As of `recommend`. Default: as the gates do.", show_default=False
        ),
    ] = None,
    rules: Annotated[
        pathlib.Path | None,
        typer.Option(metavar="FILE", help="JSON with `filter`, `diversity`, `boost` and `promote` for all requests."),
    ] = None,
    form: FormatOption = Format.PARQUET,
    shards: ShardsOption = 16,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Recommend candidates for all queries, or those of a file, into files.

    Each answer is that of `recommend --query`. Beam runs on the config's
    engine. The same command continues one that was killed.

    Example: shortlist bulk -k 20 --format jsonl
    Example: shortlist bulk --queries active_users.txt
    Example: shortlist bulk --rules rules.json
    """
    from shortlist import datasets

    wanted = None if queries is None else tuple(_read_ids(queries))
    given = None if rules is None else _read_rules(rules)

    def answer(
        checked: Config, workspace: Workspace, options: BulkOptions, report: Callable[[str], None]
    ) -> BulkResult:
        from pipeline.bulk import bulk_answers

        # After the config is loaded, whose folder is where relative paths start.
        data_root = datasets.default_data_dir().absolute()
        chosen = dataclasses.replace(
            options, exclude_seen=None if include_seen is None else not include_seen, queries=wanted, at=at, rules=given
        )
        return bulk_answers(checked, workspace, data_root, chosen, report)

    _run("bulk", Invocation.of(config, set_), k, form, shards, verbose, as_json, answer)


def similar_items(
    config: ConfigOption = None,
    set_: SetOption = None,
    k: KOption = 10,
    form: FormatOption = Format.PARQUET,
    shards: ShardsOption = 16,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find the most similar candidates of every candidate, by the cosine of their vectors, into files.

    Example: shortlist similar-items -k 20
    """

    def find(checked: Config, workspace: Workspace, options: BulkOptions, report: Callable[[str], None]) -> BulkResult:
        from pipeline.bulk import similar_items as find_similar

        return find_similar(checked, workspace, options, report)

    _run("similar-items", Invocation.of(config, set_), k, form, shards, verbose, as_json, find)


def _run(
    command: str,
    invocation: Invocation,
    k: int,
    form: Format,
    shards: int,
    verbose: bool,
    as_json: bool,
    answer: Callable[[Config, Workspace, BulkOptions, Callable[[str], None]], BulkResult],
) -> None:
    from cli.output import log
    from shortlist.engines import checks
    from shortlist.engines.running import running_engine
    from shortlist.process import resources, stopping
    from shortlist.serving import served_model
    from shortlist.workspace import Workspace

    checked = invocation.load()
    workspace = Workspace.of(checked)
    served_model.version_path(workspace.serving_dir)
    limits.check_addresses()
    checks.check(checked.beam)
    with (
        workspace.reserve(command, must_exist=True),
        log.redirect_output(workspace.root / f"{command}.log", verbose) as terminal,
        resources.raises_resource_error(workspace.root),
        stopping.reraise_stop(writing=True),
    ):
        report = _print_nothing if as_json else terminal.print
        report("Loading Beam and TensorFlow ...")
        from pipeline.bulk import BulkOptions

        with running_engine(checked.beam, workspace.root, report, report):
            result = answer(checked, workspace, BulkOptions(k, form.value, shards), report)
    if as_json:
        print(json.dumps(dataclasses.asdict(result), indent=2, ensure_ascii=False))
        return
    console = consoles.console()
    console.print(f"Pipeline  {workspace.name}")
    resumed = f", {result.resumed_shards:,} shards from before" if result.resumed_shards else ""
    console.print(f"Answers   {result.rows:,} rows by version {result.version} ({result.kind}){resumed}")
    console.print(f"Took      {result.seconds:,.1f} s without loading and reading")
    console.print(f"Files     {relative(result.folder)}")


def _read_ids(path: pathlib.Path) -> Iterator[str]:
    """Yields the ids of a text file, one per line; empty lines are left out.

    Raises:
      BadInputError: The file cannot be read, or has no id.
    """
    try:
        ids = [line for line in path.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError.from_reason(path, "a text file in UTF-8 with an id per line", str(error)) from None
    if not ids:
        raise BadInputError.from_parts(path, "an id per line", "none", "leave --queries out for all queries")
    yield from ids


def _read_rules(path: pathlib.Path) -> dict[str, Any]:
    """Returns the rules of a JSON file by name; their form is checked with the model's attributes at hand.

    Raises:
      BadInputError: The file cannot be read, is no JSON object, or has another key.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError.from_reason(path, "a JSON file", str(error)) from None
    if not isinstance(found, dict) or not set(found) <= set(_RULES):
        raise BadInputError.from_parts(path, f"an object with the keys {', '.join(_RULES)}", short_repr(found))
    return found


def _print_nothing(line: str) -> None:
    pass
