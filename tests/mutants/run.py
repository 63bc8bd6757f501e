"""Runs the tests of each mutation against a copy of the tree that has it: `make test-mutants`.

    .venv/bin/python -m tests.mutants.run [TEXT]

With a text only mutations run whose file or fault has it. Ends with 0 if tests found every mutation, else with 1.
That the same tests pass without a mutation is for `make test` to show.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from tests.mutants.mutations import MUTATIONS, ROOT, Mutation

_SHARED = (".venv", ".tools", "data")
_TESTS_FAILED = 1


def main(text: str = "") -> int:
    """Prints a line per mutation; returns the exit code."""
    mutations = [mutation for mutation in MUTATIONS if text in mutation.file or text in mutation.fault]
    num_found = 0
    with tempfile.TemporaryDirectory(prefix="shortlist-mutants-") as folder:
        tree = _copy_of_the_tree(pathlib.Path(folder) / "tree")
        for number, mutation in enumerate(mutations, 1):
            start = time.monotonic()
            failing_test, last_line = _first_failure(mutation, tree)
            verdict = f"found by {failing_test}"
            if not failing_test:
                verdict = f"SURVIVED {' '.join(mutation.tests)}: {last_line}"
            seconds = time.monotonic() - start
            place = f"{number:2}/{len(mutations)} {seconds:4.0f} s {mutation.file}"
            print(f"{place}, {mutation.fault}: {verdict}", flush=True)
            num_found += bool(failing_test)
    print(f"{num_found} of {len(mutations)} mutations were found")
    return int(num_found < len(mutations))


def _copy_of_the_tree(tree: pathlib.Path) -> pathlib.Path:
    """Copies what git tracks or would, and links what is large and not mutated."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        # A deleted file stays listed until the next commit.
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    for name in _SHARED:
        if (ROOT / name).exists():
            (tree / name).symlink_to(ROOT / name)
    return tree


def _first_failure(mutation: Mutation, tree: pathlib.Path) -> tuple[str, str]:
    """Returns the first test that fails with the mutation, empty without one, and the last line of the output."""
    mutation.apply(tree)
    try:
        tests = [f"tests/components/{name}" for name in mutation.tests]
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        # The copy's packages come before the installed ones; bytecode could outlive a mutation of the same second.
        environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    finally:
        shutil.copy2(mutation.source, tree / mutation.file)
    lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["no output"]
    failure = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    if failure is None or done.returncode != _TESTS_FAILED:
        return "", lines[-1]
    return failure[1], lines[-1]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
