"""The typed config: one module per section; `load.py` reads the file.

Nothing is imported here. Otherwise the import of one section would import all of them. A change of any section would
then change every node's cache key (`shortlist.fingerprints.code_sha256`).
"""
