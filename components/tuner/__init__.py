"""Searches for better settings before training, by KerasTuner over the Trainer's own core."""
