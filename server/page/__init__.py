"""The page at `/`, on which anyone tries the served model. It asks the API as any client does.

The files have no data of the model, so they need no token; the page asks for the token itself. Their security policy
forbids all other sources. The scripts show data as text only, so that no title can act as markup.
"""

from __future__ import annotations

import pathlib

import fastapi

from server.page.report import report_of
from server.service import Service

_FILES = pathlib.Path(__file__).parent
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
# The report has its style and scripts within itself. The sandbox keeps them from asking the API.
REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "frame-ancestors 'none'"
)


def files() -> dict[str, pathlib.Path]:
    """Returns the files of the page by name."""
    return {path.name: path for path in sorted(_FILES.iterdir()) if path.suffix in _TYPES}


def open_paths() -> frozenset[str]:
    """Returns the paths that need no token."""
    return frozenset({"/", *(f"/page/{name}" for name in files())})


def add_page(app: fastapi.FastAPI, service: Service, with_token: bool) -> None:
    """Adds the page, its files, the report and the description of the served version.

    Args:
      app: The application.
      service: Describes the version.
      with_token: Whether requests need a token. There is no link to the report then: a link sends no token.
    """
    contents = {name: path.read_bytes() for name, path in files().items()}
    rollout = service.rollout
    has_histories = service.histories is not None

    def report(version: str) -> pathlib.Path | None:
        return None if with_token else report_of(rollout.path, version)

    def add(path: str, name: str) -> None:
        def static() -> fastapi.Response:
            return _answer(contents[name], _TYPES[pathlib.Path(name).suffix], POLICY)

        app.add_api_route(path, static, include_in_schema=False)

    add("/", "page.html")
    for name in contents:
        add(f"/page/{name}", name)

    @app.get("/v1/version", summary="The served version: its quality, attributes and most popular", tags=["catalogue"])
    def version() -> fastapi.Response:
        found, _ = service.call(
            "", "describe", lambda facts: (rollout.name, has_histories, report(facts.version) is not None)
        )
        return _answer(found, "application/json")

    @app.get("/report", include_in_schema=False)
    def run_report() -> fastapi.Response:
        found = report(service.pick("")[0].facts.version)
        if found is None:
            raise fastapi.HTTPException(404)
        return _answer(found.read_bytes(), _TYPES[".html"], REPORT_POLICY)


def _answer(content: bytes, media_type: str, policy: str | None = None) -> fastapi.Response:
    headers = {"cache-control": "no-cache", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
    if policy is not None:
        headers["content-security-policy"] = policy
    return fastapi.Response(content, headers=headers, media_type=media_type)
