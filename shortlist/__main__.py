"""`python -m shortlist`: the same as the `shortlist` script. The only module here that imports upwards."""

from cli import main

if __name__ == "__main__":
    main()
