"""The folder of served versions, and the client of a pushed model."""
