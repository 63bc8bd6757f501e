"""Warm start: a training that begins from the weights of an earlier model (`train.warm_start`)."""
