"""Hyperparameter search before training: KerasTuner's oracles over the Trainer's own core."""
