"""Facts about executions as sentences, from ML Metadata.

Data that an older version did not record is left out.
"""
