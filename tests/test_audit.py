"""The audit of the locks: the list of accepted findings, and the command against services that answer, lie and hide."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import yaml

from requirements import audit

ROOT = pathlib.Path(__file__).parent.parent
LIST = ROOT / "requirements" / "accepted-vulnerabilities.yaml"
ENTRY = {
    "id": "CVE-2025-1234",
    "aliases": ["GHSA-abcd-2345-wxyz"],
    "package": "thing",
    "version": "1.0",
    "accepted": datetime.date(2026, 1, 1),
    "review_by": datetime.date(2026, 7, 1),
    "matters": False,
    "reason": "Nothing here calls what is wrong.",
    "advice": "Nothing.",
}
THING = audit.Finding("thing", "1.0", ("GHSA-abcd-2345-wxyz", "CVE-2025-1234"), ("2.0",))


def accepted(tmp_path: pathlib.Path, *entries: dict[str, object]) -> tuple[audit.Accepted, ...]:
    path = tmp_path / "accepted.yaml"
    path.write_text(yaml.safe_dump(list(entries)))
    return audit.accepted_findings(path)


def test_the_accepted_findings_are_whole_and_of_locked_versions():
    findings = audit.accepted_findings(LIST)
    assert findings
    audit.check_against_locks(findings, audit.locked())


def test_no_accepted_finding_is_dated_in_the_future():
    assert all(finding.accepted <= datetime.date.today() for finding in audit.accepted_findings(LIST))


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"reason": None}, "reason"),
        ({"reason": ""}, "reason"),
        ({"advice": None}, "advice"),
        ({"matters": None}, "matters"),
        ({"id": "a bad one"}, "id"),
        ({"review_by": "soon"}, "review_by"),
        ({"review_by": datetime.date(2025, 12, 31)}, "review_by 2025-12-31 is not after accepted 2026-01-01"),
        ({"severity": "high"}, "severity"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_a_bad_entry_is_named(tmp_path, changes, part):
    entry = {name: value for name, value in {**ENTRY, **changes}.items() if value is not None}
    with pytest.raises(audit.ListError) as refused:
        accepted(tmp_path, {**ENTRY, "id": "CVE-2025-9999", "aliases": []}, entry)
    assert "entry 2" in str(refused.value)
    assert part in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_finding_accepted_twice_under_two_ids(tmp_path):
    with pytest.raises(audit.ListError, match="GHSA-abcd-2345-wxyz of thing is there twice"):
        accepted(tmp_path, ENTRY, {**ENTRY, "id": "GHSA-abcd-2345-wxyz", "aliases": []})


def test_a_finding_of_a_version_that_is_no_longer_locked(tmp_path):
    with pytest.raises(audit.ListError, match=r"accepted for thing 1\.0, but the locks have 2\.0"):
        audit.check_against_locks(accepted(tmp_path, ENTRY), {"thing": {"2.0"}})
    with pytest.raises(audit.ListError, match="no version of it"):
        audit.check_against_locks(accepted(tmp_path, ENTRY), {})


def test_a_finding_is_accepted_under_any_of_its_ids_and_for_its_package_only(tmp_path):
    list_of_it = accepted(tmp_path, ENTRY)
    only_the_alias = audit.Finding("thing", "1.0", ("GHSA-abcd-2345-wxyz",), ())
    assert audit.verdict([only_the_alias], list_of_it, 7, "osv")[0] is audit.Code.ACCEPTED
    other = audit.Finding("other", "1.0", THING.ids, ())
    code, lines = audit.verdict([THING, other], list_of_it, 7, "osv")
    assert code is audit.Code.FOUND
    assert lines[0] == (
        "Audit: other 1.0: GHSA-abcd-2345-wxyz CVE-2025-1234 (not fixed in any release) is not accepted"
    )
    assert "7 locked packages" in lines[-1]


def test_what_is_accepted_and_no_longer_reported_is_told(tmp_path):
    code, lines = audit.verdict([], accepted(tmp_path, ENTRY), 7, "osv")
    assert code is audit.Code.ACCEPTED
    assert lines[0] == "Audit: CVE-2025-1234 of thing is accepted but osv does not report it"


def test_past_its_review_date_a_finding_is_told():
    findings = audit.accepted_findings(LIST)
    last = max(finding.review_by for finding in findings)
    told = [line for line in audit.audit((), last + datetime.timedelta(1))[1] if "was to be looked at again by" in line]
    assert len(told) == len(findings)
    first = min(finding.review_by for finding in findings)
    assert not [line for line in audit.audit((), first)[1] if "was to be looked at" in line]


class Osv(http.server.ThreadingHTTPServer):
    """A vulnerability service as OSV is, that knows `known`: (package, version) to ids."""

    def __init__(self, known: dict[tuple[str, str], list[list[str]]]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.known = known
        self.asked = 0


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Osv

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = query["package"]["name"]
        affected = [{"package": {"name": name, "ecosystem": "PyPI"}}]
        ids = self.server.known.get((name, query["version"]), [])
        vulns = [{"id": first, "aliases": others, "affected": affected} for first, *others in ids]
        answer = json.dumps({"vulns": vulns} if vulns else {}).encode()
        self.server.asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def osv(*extra: audit.Finding, accepted: bool = True) -> Iterator[Osv]:
    """Serves what this repository has accepted, and more."""
    known: dict[tuple[str, str], list[list[str]]] = {}
    for finding in audit.accepted_findings(LIST) if accepted else ():
        known.setdefault((finding.package, finding.version), []).append(sorted(finding.ids))
    for more in extra:
        known.setdefault((more.package, more.version), []).append(list(more.ids))
    with Osv(known) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def scanner() -> None:
    """`make test-slow` has it; a plain pytest may not."""
    if not (ROOT / ".tools" / "audit" / ".made").exists():
        subprocess.run(["make", "--silent", ".tools/audit/.made"], cwd=ROOT, check=True)


def run(url: str, *arguments: str) -> tuple[int, str]:
    environment = os.environ | {"PIP_AUDIT_OSV_URL": url, "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, str(ROOT / "requirements" / "audit.py"), "--service", "osv", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stderr == ""
    return done.returncode, done.stdout


def url_of(server: Osv) -> str:
    return f"http://127.0.0.1:{server.server_port}/v1/query"


@pytest.mark.slow
@pytest.mark.usefixtures("scanner")
def test_one_finding_that_nobody_has_accepted_among_those_that_are():
    (version,) = audit.locked()["tqdm"]
    with osv(audit.Finding("tqdm", version, ("CVE-2099-1234",), ())) as server:
        code, said = run(url_of(server))
    first, last = said.splitlines()
    assert first == f"Audit: tqdm {version}: CVE-2099-1234 (not fixed in any release) is not accepted"
    packages = sum(map(len, audit.locked().values()))
    known = len(audit.accepted_findings(LIST)) + 1
    found = f"{packages} locked packages looked up at osv: {known} known findings, 1 of them not accepted; raise"
    assert last.startswith(f"Audit: {found}")
    assert code == 1
    assert server.asked == packages + 1  # The canary comes first.


@pytest.mark.slow
@pytest.mark.usefixtures("scanner")
def test_a_service_that_knows_nothing_is_not_believed():
    with osv(accepted=False) as server:
        code, said = run(url_of(server), "--in-tests")
    assert said == (
        "Audit: not checked: no vulnerability service reachable "
        "(osv: it does not know CVE-2023-47248 of pyarrow 10.0.1)\n"
    )
    assert code == 0
    assert server.asked == 1


@pytest.mark.slow
@pytest.mark.usefixtures("scanner")
def test_no_service_is_told_and_the_audit_fails():
    code, said = run("http://127.0.0.1:9/v1/query")
    assert said == "Audit: not checked: no vulnerability service reachable (osv: it cannot be reached)\n"
    assert code == 3


@pytest.mark.parametrize(
    ("code", "alone", "in_tests", "in_tests_of_ci"),
    [
        (audit.Code.ACCEPTED, 0, 0, 0),
        (audit.Code.FOUND, 1, 0, 1),
        (audit.Code.BAD_LIST, 2, 2, 2),
        (audit.Code.NOT_CHECKED, 3, 0, 0),
    ],
)
def test_exit_codes(code, alone, in_tests, in_tests_of_ci):
    assert audit.exit_code(code, in_tests=False, in_ci=False) == alone
    assert audit.exit_code(code, in_tests=False, in_ci=True) == alone
    assert audit.exit_code(code, in_tests=True, in_ci=False) == in_tests
    assert audit.exit_code(code, in_tests=True, in_ci=True) == in_tests_of_ci
