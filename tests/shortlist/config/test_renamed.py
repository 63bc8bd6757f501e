import pathlib
import subprocess
import sys
import warnings

import pytest

from shortlist.config.load import load_config, parse_config
from shortlist.config.model import HistoryTowerSection
from shortlist.config.renamed import RENAMED, RenamedKeyWarning, rename_keys
from shortlist.errors import ConfigError

ROOT = pathlib.Path(__file__).parents[3]
SMOKE = ROOT / "configs" / "smoke.yaml"


def test_old_key_is_read_with_a_warning():
    overrides = {"model.query_tower.newcomers": 0.25}
    with pytest.warns(RenamedKeyWarning, match=r"newcomers is now called model\.query_tower\.cold_start_fraction"):
        config = load_config(SMOKE, overrides)
    assert config.model.query_tower.cold_start_fraction == 0.25


def test_old_key_of_a_search_is_read_with_a_warning():
    overrides = {"tune.space": {"model.query_tower.newcomers": [0.0, 0.1]}}
    with pytest.warns(RenamedKeyWarning, match=r"tune\.space\.model\.query_tower\.newcomers is now"):
        config = load_config(SMOKE, overrides)
    assert list(config.tune.space) == ["model.query_tower.cold_start_fraction"]


def test_both_names_are_refused():
    raw = {"model": {"query_tower": {"newcomers": 0.1, "cold_start_fraction": 0.2}}}
    with pytest.raises(ConfigError, match="are the same setting; remove the first"):
        parse_config(raw, "x.yaml")


@pytest.mark.parametrize("old", RENAMED)
def test_the_input_is_not_changed_and_new_names_stay(old):
    *path, name = RENAMED[old].split(".")
    raw = {name: 0.1}
    for section in reversed(path):
        raw = {section: raw}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rename_keys(raw, "x.yaml") == raw


def test_recorded_settings_of_older_versions_are_read_without_a_word():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert HistoryTowerSection.model_validate({"newcomers": 0.5}).cold_start_fraction == 0.5


def test_command_line_shows_it_in_one_line(tmp_path):
    # The schemas are missing, so that the command ends at once.
    config = tmp_path / "old.yaml"
    text = SMOKE.read_text().replace("    kind: history\n", "    kind: history\n    newcomers: 0.1\n")
    config.write_text(text.replace("schemas/movielens_100k", "nowhere").replace("  source: smoke\n", ""))
    command = [sys.executable, "-c", "from cli import main; main()", "run", "--config", str(config)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    first = ended.stderr.splitlines()[0]
    assert first == (
        f"Warning: {config}: model.query_tower.newcomers is now called model.query_tower.cold_start_fraction"
    )
    assert ended.returncode == 2
