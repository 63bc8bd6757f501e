"""All commands, and the exit codes of errors."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
import traceback
import warnings
from types import TracebackType
from typing import Annotated, TextIO

import click
import typer
from rich.console import Console
from rich.text import Text

from cli import (
    ablate,
    bulk,
    check,
    compile,
    data,
    doctor,
    export,
    lineage,
    online,
    push,
    recommend,
    report,
    rollback,
    run,
    runs,
    schema,
    serve,
    submit,
    train_worker,
    worker,
)
from cli.conventions import SuggestingGroup, print_version, without_styles
from cli.output import consoles
from shortlist.errors import BadInputError, ExitCode, ResourceError, ShortlistError
from shortlist.process import limits, resources, stopping
from shortlist.sanitize import plain_lines
from shortlist.secrets import redacted

_PYTHONS_SHOWWARNING = warnings.showwarning

app = typer.Typer(
    name="shortlist",
    cls=SuggestingGroup,
    help="From an interaction log to a served retrieval model, with numbers that can be trusted.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    pass


_START, _RUN, _RESULTS, _SERVE, _SCALE = "Get started", "Run", "Results", "Serve", "Scale out"
app.command("check", rich_help_panel=_START)(check.check)
app.add_typer(data.app, name="data", rich_help_panel=_START)
app.add_typer(schema.app, name="schema", rich_help_panel=_START)
app.command("doctor", rich_help_panel=_START)(doctor.doctor)
app.command("run", rich_help_panel=_RUN)(run.run)
app.command("ablate", rich_help_panel=_RUN)(ablate.ablate)
app.command("report", rich_help_panel=_RESULTS)(report.report)
app.add_typer(lineage.app, name="lineage", rich_help_panel=_RESULTS)
app.add_typer(runs.app, name="runs", rich_help_panel=_RESULTS)
app.command("recommend", rich_help_panel=_SERVE)(recommend.recommend)
app.command("serve", rich_help_panel=_SERVE)(serve.serve)
app.command("online", rich_help_panel=_SERVE)(online.online)
app.command("forget", rich_help_panel=_SERVE)(online.forget)
app.command("bulk", rich_help_panel=_SERVE)(bulk.bulk)
app.command("similar-items", rich_help_panel=_SERVE)(bulk.similar_items)
app.add_typer(export.app, name="export", rich_help_panel=_SERVE)
app.command("push", rich_help_panel=_SERVE)(push.push)
app.command("rollback", rich_help_panel=_SERVE)(rollback.rollback)
app.command("compile", rich_help_panel=_SCALE)(compile.compile_)
app.command("submit", rich_help_panel=_SCALE)(submit.submit)
app.command("train-worker", rich_help_panel=_SCALE)(train_worker.train_worker)
app.command("worker", rich_help_panel=_SCALE)(worker.worker)


def main() -> None:
    """Runs a command. Prints an error that a user can act on as one sentence on stderr."""
    out_of_resources = False
    limits.watch()
    warnings.showwarning = _show_warning
    sys.excepthook = _print_traceback
    try:
        stopping.install_handlers()
        _check_encoding()
        without_styles()
        # Libraries swallow or convert an interruption that comes while they are imported.
        with stopping.reraise_stop():
            # Typer's standalone mode would print errors in its own way and exit with its own codes.
            code = app(standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        code = ExitCode.INTERRUPTED
    except SystemExit as error:
        code = error.code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "shortlist"
        _print_error(f"{error.format_message().rstrip('.')}; see `{command} --help`")
        code = ExitCode.BAD_INPUT
    except ShortlistError as error:
        limits.release_reserve()
        _print_error(str(error))
        code = error.exit_code
        out_of_resources = isinstance(error, ResourceError)
    except Exception as error:
        limits.release_reserve()
        shortage = resources.find_shortage(error, pathlib.Path.cwd())
        if shortage is None:
            limits.ended()
            raise
        _print_error(str(shortage))
        code = shortage.exit_code
        out_of_resources = True
    # With a Ctrl-C from here on, Python's own cleaning up would end in a traceback.
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    stopping.end_at_signals(int(code or 0))
    # Typer also turns Ctrl-C into code 130.
    if code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
        _stderr().print(stopping.SENTENCE)
    limits.ended()
    if out_of_resources and limits.found():
        # TensorFlow's threads that failed for want of memory can block Python's own end for ever.
        os._exit(int(code or 0))
    sys.exit(int(code or 0))


def _check_encoding() -> None:
    """Refuses options and variables with bytes that are not UTF-8.

    ML Metadata, TensorFlow and JSON cannot store them, so that a run would end at its first artifact.

    Raises:
      BadInputError: Names the first such option or variable.
    """
    expected, remedy = "text in UTF-8", "rename the file or folder, or give the text in UTF-8"
    for argument in sys.argv[1:]:
        if not _is_utf8(argument):
            raise BadInputError.from_parts("command line", expected, ascii(argument), remedy)
    for name, value in os.environ.items():
        if name.startswith("SHORTLIST_") and not _is_utf8(value):
            raise BadInputError.from_parts(name, expected, ascii(value), remedy)


def _is_utf8(text: str) -> bool:
    # Python represents other bytes of the command line and of the environment as lone surrogates.
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _stderr() -> Console:
    return consoles.console(stderr=True)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Prints warnings for users in one line, and other warnings as Python does."""
    # By name: importing the class would load pydantic, also for --help.
    if category.__name__ == "RenamedKeyWarning":
        consoles.warn(_stderr(), str(message))
    else:
        _PYTHONS_SHOWWARNING(redacted(str(message)), category, filename, lineno, file, line)


def _print_error(sentence: str) -> None:
    consoles.print_marked(_stderr(), Text("Error: ", "bold red"), plain_lines(sentence))


def _print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Prints the traceback of an unexpected exception as Python does, but without credentials."""
    sys.stderr.write(plain_lines("".join(traceback.format_exception(kind, error, trace))))
