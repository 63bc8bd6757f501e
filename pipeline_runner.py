"""The entry point: `python pipeline_runner.py COMMAND`, the same as the `shortlist` script."""

try:
    from cli import main
except KeyboardInterrupt:
    raise SystemExit(130) from None

if __name__ == "__main__":
    main()
