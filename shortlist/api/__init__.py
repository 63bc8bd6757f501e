"""The Python interface: `shortlist.load` and `shortlist.load_runs`."""
