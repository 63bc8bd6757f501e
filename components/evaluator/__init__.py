"""Ranks held-out targets, reports FactorizedTopK and gates the model on it."""
