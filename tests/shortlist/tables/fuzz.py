"""Reads mutated files: `python -m ... NAME CASES` prints an outcome per case, and ends at a case of over ten seconds.

The outcomes are `same` (the rows of the original), `other` (other rows), `refused` (one sentence with the file's name),
or what should not be: the name of another exception, or `signal N`.
"""

from __future__ import annotations

import io
import os
import random
import resource
import signal
import sys
from typing import Any

from shortlist.errors import DataError
from shortlist.tables import readers
from tests.shortlist.tables.test_formats import FILES, spec_of

MAX_SECONDS = 10
ADDRESS_SPACE = 3 * 2**30

# Beginnings, ends and numbers of the formats.
PIECES = [
    *(b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"{", b"[", b"}", b"]"),
    *(b"\\", b"\\ud800", b"1e999", b"9" * 400, b"NaN", b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"\x80" * 9, b"\x7f" * 4),
]


def mutated(content: bytes, chosen: random.Random) -> bytes:
    """Returns a content with one to four changes: flips, cuts, insertions and repetitions of parts."""
    for _ in range(chosen.choice([1, 1, 2, 4])):
        start = chosen.randrange(len(content) + 1)
        stop = min(start + chosen.choice([1, 2, 8, 64, 512]), len(content))
        middle = chosen.choice(
            [
                bytes(byte ^ 1 << chosen.randrange(8) for byte in content[start : start + 1])
                + content[start + 1 : stop],
                b"",
                chosen.choice(PIECES) + content[start:stop],
                content[start:stop] * chosen.choice([2, 3, 50]),
                chosen.randbytes(stop - start),
            ]
        )
        content = content[:start] + middle + content[stop:]
        if chosen.randrange(8) == 0:
            content = content[: chosen.randrange(len(content) + 1)]
    return content or b"x"  # A file of no bytes has no rows, whatever its name.


def rows_of(name: str, content: bytes) -> list[Any]:
    """Returns the parsed rows of one of the files of `test_formats`, in batches as the pipeline reads them."""
    spec = spec_of(**FILES[name][1])
    with io.BytesIO(content) as file:
        batches = readers.batches(readers.open_table(file, spec, name), spec)
        return [row for batch in batches for row in batch]


def outcome(name: str, seed: int) -> str:
    """Returns the outcome of one case."""
    content = FILES[name][0]
    try:
        rows = rows_of(name, mutated(content, random.Random(f"{name} {seed}")))
    except DataError as error:
        return "refused" if str(error).startswith(name) and len(str(error).splitlines()) == 1 else f"said {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "same" if rows == rows_of(name, content) else "other"


def main(name: str, cases: int) -> None:
    """Prints the outcomes of all cases."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    rows_of(name, FILES[name][0])  # Imports what the format needs, once.
    for seed in range(cases):
        sys.stdout.flush()
        # A file that takes pyarrow down takes this child alone.
        is_child = "parquet" in name and os.fork() == 0
        if is_child or "parquet" not in name:
            signal.alarm(MAX_SECONDS)
            print(seed, outcome(name, seed), flush=True)
            if is_child:
                os._exit(0)
            continue
        status = os.wait()[1]
        if os.WIFSIGNALED(status):
            print(seed, f"signal {os.WTERMSIG(status)}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
