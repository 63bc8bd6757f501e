"""The API's description in OpenAPI, with examples that the tests send."""

from __future__ import annotations

from typing import Any

import fastapi
from fastapi.openapi.utils import get_openapi

from server.requests import Body, OutcomeRequest, RecommendRequest, SimilarRequest

_REF = "#/components/schemas/{model}"
_ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
_REFUSALS = {
    "400": "The request is wrong; one sentence says why.",
    "401": "The token is missing or wrong.",
    "404": "There is no such model, version, query or candidate.",
    "408": "The request arrived too slowly.",
    "413": "The body is too long.",
    "503": "The server has too many requests, or no version yet.",
}

_EXAMPLES: dict[type[Body], dict[str, Any]] = {
    RecommendRequest: {
        "a history": {"value": {"history": [{"id": "50"}, {"id": "172", "time": "1998-04-02T12:00:00Z"}], "k": 5}},
        "a new visitor": {"value": {"k": 3}},
        "excluded and allowed": {
            "value": {"history": [{"id": "50"}], "exclude": ["181"], "allow": ["172", "181", "174"]}
        },
        "filtered and re-ranked": {
            "value": {
                "history": [{"id": "50"}],
                "filter": {"genres": {"any": ["Comedy", "Drama"], "none": ["Horror"]}, "release_year": {"min": 1990}},
                "diversity": 0.3,
                "boost": [{"where": {"genres": {"any": ["Romance"]}}, "factor": 2.0}],
                "promote": [{"ids": ["172", "181"], "at_least": 1}],
            }
        },
    },
    OutcomeRequest: {
        "a click": {"value": {"request_id": "0123456789abcdef", "id": "50", "event": "click"}},
    },
    SimilarRequest: {
        "one candidate": {"value": {"id": "50", "k": 5}},
        "several, filtered": {"value": {"ids": ["50", "172"], "filter": {"genres": {"none": ["War"]}}}},
    },
}
_MODELS: dict[str, type[Body]] = {}


def body(kind: type[Body]) -> dict[str, Any]:
    """Returns the description of a JSON body."""
    _MODELS[kind.__name__] = kind
    content = {"schema": {"$ref": _REF.format(model=kind.__name__)}}
    if kind in _EXAMPLES:
        content["examples"] = _EXAMPLES[kind]
    # A body with optional fields alone may be absent.
    is_required = any(field.is_required() for field in kind.model_fields.values())
    return {"requestBody": {"required": is_required, "content": {"application/json": content}}}


def examples(kind: type[Body]) -> dict[str, Any]:
    """Returns the examples of a body by name."""
    return {name: example["value"] for name, example in _EXAMPLES[kind].items()}


def schema(app: fastapi.FastAPI, with_token: bool) -> dict[str, Any]:
    """Returns the description of an application.

    Args:
      app: The application, with all its routes.
      with_token: Whether requests need a token.
    """
    described = get_openapi(title=app.title, version=app.version, routes=app.routes)
    components = described.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    components["Error"] = _ERROR
    for name, kind in _MODELS.items():
        own = kind.model_json_schema(ref_template=_REF)
        components |= own.pop("$defs", {})
        components[name] = own
    for path, operations in described["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            operation["responses"]["200"]["content"] = _content(path)
            for status, text in _REFUSALS.items():
                content = {"application/json": {"schema": {"$ref": _REF.format(model="Error")}}}
                operation["responses"][status] = {"description": text, "content": content}
    if with_token:
        described["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        described["security"] = [{"token": []}]
    return described


def _content(path: str) -> dict[str, Any]:
    return {"text/plain": {}} if path == "/metrics" else {"application/json": {"schema": {"type": "object"}}}
