from __future__ import annotations

from typing import Any

import pytest

from shortlist.config.load import parse_config
from shortlist.config.notify import Notify
from shortlist.errors import ConfigError
from tests.shortlist.config.test_load import MINIMAL


def notify(section: Any) -> Notify | None:
    return parse_config({**MINIMAL, "notify": section}, "x.yaml").notify


def test_both_channels():
    found = notify(
        {
            "command": {"argv": ["./tell.sh", "ops"]},
            "webhook": {"url_env": "HOOK", "headers_env": {"Authorization": "TOKEN"}},
        }
    )
    assert found is not None
    assert found.command is not None
    assert found.webhook is not None
    assert found.command.argv == ("./tell.sh", "ops")
    assert (found.command.timeout_seconds, found.webhook.timeout_seconds, found.webhook.attempts) == (30.0, 10.0, 3)
    assert notify(None) is None


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({}, "notify: expected the key command or webhook, got neither"),
        ({"command": {"argv": []}}, "notify.command.argv: expected a program and its arguments, got an empty list"),
        ({"command": {"argv": ["curl", "https://me:s3cr3t@host/"]}}, "expected an address without credentials"),
        ({"webhook": {}}, "the key 'notify.webhook.url_env' is required"),
        # People write the address itself here.
        (
            {"webhook": {"url_env": "https://host/s3cr3t"}},
            "notify.webhook.url_env: expected the name of an environment",
        ),
        (
            {"webhook": {"url_env": "A", "headers_env": {"Authorization": "Bearer s3cr3t"}}},
            "expected the name of an env",
        ),
        ({"webhook": {"url_env": "A", "headers_env": {"X: s3cr3t": "B"}}}, "expected names of HTTP headers as keys"),
        ({"webhook": {"url_env": "A", "attempts": 0}}, "notify.webhook.attempts: expected a whole number, at least 1"),
    ],
)
def test_other_sections_are_refused_without_secrets(section: Any, expected: str):
    with pytest.raises(ConfigError) as refusal:
        notify(section)
    assert expected in str(refusal.value)
    assert "s3cr3t" not in str(refusal.value)
