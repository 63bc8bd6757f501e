"""Asks ML Metadata what happened; needs neither TFX nor TensorFlow."""
