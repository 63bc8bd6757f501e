"""The entry point: `python pipeline_runner.py COMMAND`, the same as the `shortlist` script."""

from shortlist.cli import main

if __name__ == "__main__":
    main()
