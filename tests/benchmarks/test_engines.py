from __future__ import annotations

import subprocess
import sys

from benchmarks import engines


def test_the_table_adds_up_nodes_and_takes_the_highest_peak():
    def node(seconds, cpu, peak):
        return {"seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak}

    nodes = {
        "InteractionsGen": node(4.0, 3.0, 900),
        "QueriesGen": node(2.0, 1.0, 800),
        "DataGate": node(0.4, 0.4, 950),
        "QueriesStatistics": node(3.0, 6.0, 1000),
        "Windows": node(9.0, 10.0, 1100),
    }
    *_, first, second = engines.table({"direct": nodes, "portable": {"failed": "exit code 137"}}).splitlines()
    cells = ["6 s, CPU 4 s, 900 MB", "3 s, CPU 6 s, 1,000 MB", "9 s, CPU 10 s, 1,100 MB", "18 s, CPU 20 s, 1,100 MB"]
    assert first == f"| `direct` | {' | '.join(cells)} |"
    assert second == "| `portable` | exit code 137 |"


def test_a_child_counts_while_it_runs_and_after_its_end():
    cpu, memory = engines.tree_usage()
    busy = "import time\ndata = b'x' * 50_000_000\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    child = subprocess.Popen(
        [sys.executable, "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert child.stdout is not None
    child.stdout.readline()
    running = engines.tree_usage()
    child.communicate("\n")
    ended = engines.tree_usage()
    # A tick is 0.01 s, and a time of a process is rounded down to one.
    assert running[0] - cpu > 0.25
    assert ended[0] >= running[0]
    assert running[1] - memory > 45
