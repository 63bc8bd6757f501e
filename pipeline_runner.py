"""The entry point: `python pipeline_runner.py COMMAND`, the same as the `shortlist` script."""

from cli import main

if __name__ == "__main__":
    main()
