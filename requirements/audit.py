"""Asks what vulnerabilities are known in the locked packages, and which of them nobody has accepted.

    .venv/bin/python requirements/audit.py [--in-tests]

Ends with 0 if every known finding is accepted, 1 if one is not, 2 if the list of accepted ones is wrong, 3 if there was
nobody to ask. With `--in-tests` the last is 0, and so are findings that are not accepted, except where CI is set: they
are told all the same.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import enum
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import pydantic
import yaml

from shortlist.secrets import redacted

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOCKS = ("dev", "build", "uv", "audit", "manifests")  # dev.txt has all of runtime.txt and kubeflow.txt.
SERVICES = ("pypi", "osv")
# A mirror without vulnerability data knows no package, or finds nothing in any: pip-audit takes both for good news.
CANARY_PACKAGE, CANARY_VERSION, CANARY_ID = "pyarrow", "10.0.1", "CVE-2023-47248"

_ACCEPTED = "requirements/accepted-vulnerabilities.yaml"
_PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
_UNREACHABLE = re.compile(r"ConnectionError|Timeout|Could not connect")
_SOCKET_SECONDS = 10
_CANARY_SECONDS = 60
_LONGEST_SECONDS = 600


class Code(enum.IntEnum):
    """What the command ends with."""

    ACCEPTED = 0
    FOUND = 1
    BAD_LIST = 2
    NOT_CHECKED = 3


class ListError(Exception):
    """The list of accepted findings is wrong; one sentence."""


class NotCheckedError(Exception):
    """Nobody could be asked; says why."""


class Accepted(pydantic.BaseModel):
    """A known finding that the pins leave open."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    id: str = pydantic.Field(pattern=r"^(CVE-\d{4}-\d{4,}|PYSEC-\d{4}-\d+|GHSA(-[0-9a-z]{4}){3})$")
    """The id that people know it by."""

    aliases: tuple[str, ...] = ()
    """The ids that services report it by."""

    package: str = pydantic.Field(pattern=r"^[a-z0-9-]+$")
    version: str

    accepted: datetime.date
    review_by: datetime.date
    """Past this day the audit asks for a second look."""

    matters: bool
    """Whether somebody who uses Shortlist should do something."""

    reason: str = pydantic.Field(min_length=20)
    """What it is, and why it stays."""

    advice: str = pydantic.Field(min_length=5)
    """What a user should do."""

    @pydantic.model_validator(mode="after")
    def _reviewed_later(self) -> Accepted:
        if self.review_by <= self.accepted:
            raise ValueError(f"review_by {self.review_by} is not after accepted {self.accepted}")
        return self

    @property
    def ids(self) -> frozenset[str]:
        """Every id it goes by."""
        return frozenset({self.id, *self.aliases})


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a service said of one locked package."""

    package: str
    version: str
    ids: tuple[str, ...]
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        fixed = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "not fixed in any release"
        return f"{self.package} {self.version}: {' '.join(self.ids)} ({fixed})"


def accepted_findings(path: pathlib.Path) -> tuple[Accepted, ...]:
    """Returns the checked list of accepted findings.

    Raises:
      ListError: A field is missing, unknown or of the wrong form, or a finding is there twice.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = tuple(pydantic.TypeAdapter(list[Accepted]).validate_python(raw))
    except (OSError, yaml.YAMLError) as error:
        raise ListError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        entry, *field = problem["loc"] or ("",)
        name = f"entry {entry + 1}" if isinstance(entry, int) else "the file"
        raise ListError(f"{path}: {name}: {'.'.join(map(str, field))}: {problem['msg']}") from None
    seen: set[tuple[str, str]] = set()
    for finding in found:
        keys = {(finding.package, id) for id in finding.ids}
        if seen & keys:
            raise ListError(f"{path}: {finding.id} of {finding.package} is there twice")
        seen |= keys
    return found


def locked() -> dict[str, set[str]]:
    """Returns the versions of every package in the locks."""
    versions: dict[str, set[str]] = {}
    for lock in LOCKS:
        for name, version in _PIN.findall((ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")):
            versions.setdefault(name, set()).add(version)
    return versions


def check_against_locks(accepted: Sequence[Accepted], versions: dict[str, set[str]]) -> None:
    """Refuses to accept what no lock has any more.

    Raises:
      ListError: Names the finding and the versions that are locked.
    """
    for finding in accepted:
        if finding.version not in versions.get(finding.package, ()):
            locks = ", ".join(sorted(versions.get(finding.package, ()))) or "no version of it"
            raise ListError(
                f"{_ACCEPTED}: {finding.id} is accepted for {finding.package} {finding.version}, but the locks have "
                f"{locks}; remove the entry, or look whether the new version has it too"
            )


def ask(service: str, versions: dict[str, set[str]]) -> tuple[Finding, ...]:
    """Returns what a service knows of the locked packages.

    Args:
      service: One of `SERVICES`.
      versions: Locked versions by package.

    Raises:
      NotCheckedError: The service cannot be reached, is no vulnerability service, or does not know a package.
    """
    canary = _findings(service, {CANARY_PACKAGE: {CANARY_VERSION}}, _CANARY_SECONDS)
    if not any(CANARY_ID in finding.ids for finding in canary):
        raise NotCheckedError(f"it does not know {CANARY_ID} of {CANARY_PACKAGE} {CANARY_VERSION}")
    return tuple(_findings(service, versions, _LONGEST_SECONDS))


def _findings(service: str, versions: dict[str, set[str]], seconds: int) -> list[Finding]:
    findings: list[Finding] = []
    unknown: list[str] = []
    for pins in _rounds(versions):
        for dependency in _pip_audit(service, pins, seconds):
            if "skip_reason" in dependency:
                unknown.append(str(dependency["name"]))
                continue
            for known in dependency["vulns"]:
                ids = (known["id"], *known["aliases"])
                findings.append(Finding(dependency["name"], dependency["version"], ids, tuple(known["fix_versions"])))
    if unknown:
        raise NotCheckedError(f"it does not know {', '.join(unknown[:3])}{' ...' if len(unknown) > 3 else ''}")
    return findings


def _rounds(versions: dict[str, set[str]]) -> Iterator[list[str]]:
    """Yields lists of pins with one version a package each: pip-audit takes no more."""
    for index in range(max(map(len, versions.values()))):
        yield [f"{name}=={sorted(all_of_it)[index]}" for name, all_of_it in versions.items() if index < len(all_of_it)]


def _pip_audit(service: str, pins: list[str], seconds: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        requirements, said = pathlib.Path(folder, "pins.txt"), pathlib.Path(folder, "said.json")
        requirements.write_text("\n".join(pins), encoding="utf-8")
        command = [str(ROOT / ".tools/audit/bin/python"), "-m", "pip_audit", "--no-deps", "--disable-pip"]
        command += ["--vulnerability-service", service, "--timeout", str(_SOCKET_SECONDS), "--aliases", "on"]
        command += ["--progress-spinner", "off", "--format", "json", "--desc", "off"]
        command += ["--output", str(said), "--requirement", str(requirements)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            raise NotCheckedError(f"no answer in {seconds} s") from None
        try:
            return list(json.loads(said.read_text(encoding="utf-8"))["dependencies"])
        except (OSError, ValueError):
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise NotCheckedError("it cannot be reached" if _UNREACHABLE.search(last) else last[:200]) from None


def audit(services: Sequence[str], today: datetime.date) -> tuple[Code, list[str]]:
    """Returns what to end with, and the lines to print."""
    versions = locked()
    try:
        accepted = accepted_findings(ROOT / _ACCEPTED)
        check_against_locks(accepted, versions)
    except ListError as error:
        return Code.BAD_LIST, [f"Audit: {error}"]
    overdue = [
        f"Audit: {finding.id} of {finding.package} was to be looked at again by {finding.review_by}"
        for finding in accepted
        if finding.review_by < today
    ]
    reasons = []
    for service in services:
        try:
            found = ask(service, versions)
        except NotCheckedError as error:
            reasons.append(f"{service}: {error}")
            continue
        code, lines = verdict(found, accepted, sum(map(len, versions.values())), service)
        return code, overdue + lines
    checked_by_none = f"Audit: not checked: no vulnerability service reachable ({'; '.join(reasons)})"
    return Code.NOT_CHECKED, [*overdue, checked_by_none]


def verdict(
    found: Sequence[Finding], accepted: Sequence[Accepted], packages: int, service: str
) -> tuple[Code, list[str]]:
    """Returns what to end with, and the lines to print, where a service has answered."""
    open_findings = [
        finding
        for finding in found
        if not any(a.package == finding.package and a.ids.intersection(finding.ids) for a in accepted)
    ]
    reported = {(finding.package, id) for finding in found for id in finding.ids}
    lines = [
        f"Audit: {a.id} of {a.package} is accepted but {service} does not report it"
        for a in accepted
        if not any((a.package, id) in reported for id in a.ids)
    ]
    checked = f"Audit: {packages} locked packages looked up at {service}: {len(found)} known findings"
    if not open_findings:
        return Code.ACCEPTED, [*lines, f"{checked}, all accepted in {_ACCEPTED}"]
    lines += [f"Audit: {finding} is not accepted" for finding in open_findings]
    remedy = f"raise the version and `make lock`, or say in {_ACCEPTED} why it stays and what a user should do"
    return Code.FOUND, [*lines, f"{checked}, {len(open_findings)} of them not accepted; {remedy}"]


def exit_code(code: Code, in_tests: bool, in_ci: bool) -> int:
    """Returns what the command ends with: tests fail on findings in CI only, and never for want of a service."""
    told_only = code is Code.NOT_CHECKED or (code is Code.FOUND and not in_ci)
    return 0 if in_tests and told_only else int(code)


def main() -> int:
    """Prints the audit's lines and returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in-tests", action="store_true", help="only tell, except that findings fail where CI is set")
    parser.add_argument("--service", choices=SERVICES, action="append", help="whom to ask; by default PyPI, then OSV")
    arguments = parser.parse_args()
    code, lines = audit(arguments.service or SERVICES, datetime.date.today())
    print(redacted("\n".join(lines)), flush=True)
    return exit_code(code, arguments.in_tests, in_ci=bool(os.environ.get("CI")))


if __name__ == "__main__":
    sys.exit(main())
