"""Comparison of two runs or versions, from ML Metadata."""
