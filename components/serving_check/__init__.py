"""Loads the models to serve in clean processes and checks their answers."""
