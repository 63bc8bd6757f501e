"""The Refresh node: a blessed model with today's catalogue, without training."""
