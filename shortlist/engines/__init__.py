"""Engines for the Beam steps: arguments, checks, start and stop."""
