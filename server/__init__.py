"""The server of a pushed model, `shortlist serve`: HTTP and gRPC, without TFX.

It is part of the distribution `shortlist`, and with `shortlist/` a slim distribution of its own for pods, see
`pyproject.toml` in this folder.
"""
