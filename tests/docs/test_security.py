"""docs/security.md names every key of a config that names a server, an image or a secret."""

from __future__ import annotations

import pathlib
import re

from shortlist.config import key_paths
from shortlist.config.config import Config

_TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
_TRUSTED = re.compile(
    r"endpoint|host$|image$|^master$|_root$|location|password|secret_env|volumes|service_account$|project$"
)
_PROGRAM = re.compile(r"java|jar$|program|command|executable|module|script|entrypoint|_fn$|class")


def test_every_key_that_needs_trust_is_named():
    names = {key.path[-1] for key in key_paths.keys_of(Config) if _TRUSTED.search(key.path[-1])}
    assert {"job_endpoint", "image", "password_env", "pipeline_root"} <= names
    assert {name for name in names if not re.search(rf"[`.]{name}`", _TEXT)} == set()


def test_one_key_names_a_program():
    paths = {".".join(map(str, key.path)) for key in key_paths.keys_of(Config) if _PROGRAM.search(key.path[-1])}
    assert paths == {"notify.command"}
    assert "No key but\n  `notify.command` names a program" in _TEXT
