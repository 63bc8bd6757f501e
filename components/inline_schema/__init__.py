"""Schemas stored in the pipeline itself, for clusters that cannot read the submitter's files."""
