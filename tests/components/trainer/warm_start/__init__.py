"""Tests of the warm start."""
