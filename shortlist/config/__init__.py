"""The typed config: one module per section; `load.py` reads the file.

Nothing is imported here. Importing one section would otherwise import all of them, and a change of any section would
then change every node's cache key (`shortlist.fingerprints.code_sha256`).
"""
