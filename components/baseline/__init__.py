"""Finds the model that a candidate must not fall below, and puts it in front of the Evaluator."""
