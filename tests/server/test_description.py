"""schemathesis sends the server what its OpenAPI permits and what it forbids."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

from shortlist.config.serve import Serve
from tests.server import running

ROOT = pathlib.Path(__file__).parents[2]
_TOOL = ROOT / ".tools" / "api-fuzz"
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)


@pytest.fixture(scope="module")
def tool():
    """Fetches schemathesis, unless `make test` did."""
    if not (_TOOL / ".made").exists():
        subprocess.run(["make", "--silent", ".tools/api-fuzz/.made"], cwd=ROOT, check=True)
    return _TOOL / "bin" / "schemathesis"


def test_every_answer_is_one_that_the_description_has(model_folder, tmp_path, tool):
    (tmp_path / "shop").mkdir()
    running.push(model_folder, tmp_path / "shop", 1)
    with running.running(tmp_path / "shop", Serve()) as server:
        options = ["--checks", ",".join(_CHECKS), "--phases", "examples,coverage,fuzzing"]
        # Nothing random: the same requests in each run.
        options += ["--max-examples", "20", "--seed", "1", "--generation-database", "none", "--warnings", "off"]
        done = subprocess.run(
            [str(tool), "run", f"http://127.0.0.1:{server.port}/openapi.json", *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-1_000:]
        assert server.client().recommend(k=3)["items"]
