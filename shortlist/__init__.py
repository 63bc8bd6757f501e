"""Shortlist: from an interaction log to a served retrieval model.

    model = shortlist.load("workspaces/movielens-100k")
    runs = shortlist.load_runs("workspaces/movielens-100k")

Importing the package costs milliseconds; its names are imported when they are first used. `components/` holds one
folder per pipeline node, `pipeline/` the DAG, `cli/` the commands. All three import this package first, so that every
process, Beam's workers included, has the environment that TensorFlow needs.
"""

import importlib

from shortlist import environment

__version__ = "0.1.0"

environment.prepare()

# By name, so that neither Python nor the nodes' cache keys follow an import from here. `__init__.pyi` has the types.
_EXPORTS = {
    "Model": "shortlist.api.model",
    "Recommendations": "shortlist.api.recommendations",
    "load": "shortlist.api.load",
    "load_runs": "shortlist.api.load",
}

__all__ = ["Model", "Recommendations", "__version__", "load", "load_runs"]


def __getattr__(name: str) -> object:
    """Imports one of the names in `__all__`."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
