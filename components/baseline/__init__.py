"""The latest blessed model, made comparable with the candidate model for the Evaluator."""
