"""`shortlist serve`: the server of the pushed model."""

from __future__ import annotations

import functools
import pathlib
from typing import Annotated

import typer

from cli.invocation import Invocation
from cli.options import ConfigOption, SetOption
from shortlist.errors import BadInputError


def serve(
    config: ConfigOption = None,
    set_: SetOption = None,
    model: Annotated[
        pathlib.Path | None,
        typer.Option(metavar="DIR", help="Folder of the versions, or of one version, instead of a config."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of HTTP.")] = 8501,
    grpc_port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of gRPC; 0 for none.")] = 8500,
    settings: Annotated[
        pathlib.Path | None,
        typer.Option(metavar="FILE", help="YAML file with the keys of `serve`, instead of those of the config."),
    ] = None,
) -> None:
    """Serve the pushed model over HTTP and gRPC: recommendations, and TensorFlow Serving's API.

    New versions take over without a lost request. Ctrl-C ends the server.
    Other machines can reach it only with --host and a token in
    SHORTLIST_SERVE_TOKEN.

    Example: shortlist serve
    Example: shortlist serve --model serving/movielens-100k --port 9000
    """
    from cli import known_queries
    from server.main import Options
    from server.main import serve as run
    from shortlist.config.serve import Serve
    from shortlist.config.serve_file import read_settings

    read_known = None
    if model is not None:
        if config is not None or set_:
            raise BadInputError("give either --config or --model; with --model, --settings has the settings")
        section = Serve()
    else:
        from shortlist.workspace import Workspace

        checked = Invocation.of(config, set_).load()
        model, section = Workspace.of(checked).serving_dir, checked.serve
        read_known = functools.partial(known_queries.of_config, checked, section)
    if settings is not None:
        section = read_settings(settings)
        read_known = None
    run(Options(model, host, port, grpc_port, section, read_known))
