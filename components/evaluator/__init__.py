"""The Evaluator node: ranks held-out targets, computes FactorizedTopK and gates the model on it."""
