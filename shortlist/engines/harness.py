"""One Beam worker of a pool: `python -m shortlist.engines.harness CONTROL_ENDPOINT WORKER_ID`."""

from __future__ import annotations

import logging
import os
import sys

# Must come first: it sets environment variables that TensorFlow reads when it is imported.
import shortlist  # noqa: F401


def main(control_endpoint: str, worker_id: str) -> None:
    """Runs the worker until the engine has no more work."""
    from apache_beam.runners.worker.sdk_worker import SdkHarness

    SdkHarness(control_endpoint, worker_id=worker_id).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
    # Python would end module by module, and TensorFlow's functions print a traceback when they find a module gone.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
