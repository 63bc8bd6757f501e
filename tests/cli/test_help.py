"""`--help` answers at once: it imports no heavy package."""

import json
import subprocess
import sys

import pytest

from cli.app import app

COMMANDS = [
    [],
    ["check"],
    ["run"],
    ["recommend"],
    ["report"],
    ["compile"],
    ["submit"],
    ["schema", "infer"],
    ["rollback"],
    ["push"],
    ["ablate"],
    ["lineage"],
    ["lineage", "diff"],
    ["runs"],
    ["runs", "compare"],
    ["runs", "prune"],
    ["doctor"],
    ["worker"],
    ["train-worker"],
    ["data"],
    ["data", "fetch"],
]
_HEAVY = {"tensorflow", "tfx", "apache_beam", "pandas", "numpy", "pyarrow", "ml_metadata", "pydantic", "scann"}
_PROBE = """
import json, sys
sys.argv = ["shortlist", *sys.argv[1:], "--help"]
from cli import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command) or "shortlist")
def test_help_has_an_example_and_imports_nothing_heavy(command):
    done = subprocess.run([sys.executable, "-c", _PROBE, *command], capture_output=True, text=True, check=True)
    modules = set(json.loads(done.stderr.splitlines()[-1]))
    assert not _HEAVY & modules
    if command and command != ["data"]:
        assert f"Example: shortlist {' '.join(command)}" in done.stdout


def test_no_default_is_none_and_commands_are_in_panels(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    for command in COMMANDS:
        app([*command, "-h"], standalone_mode=False)
        shown = capsys.readouterr().out
        assert "[default: None]" not in shown
        assert "[default: ]" not in shown
        if not command:
            panels = [line.split()[1] for line in shown.splitlines() if line.startswith("╭─")]
            assert panels == ["Options", "Get", "Run", "Results", "Serve", "Scale"]
