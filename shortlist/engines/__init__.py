"""Engines that run the Beam steps: their arguments, checks and lifetimes."""
