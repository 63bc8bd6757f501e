"""Lineage, read from ML Metadata; needs neither TFX nor TensorFlow."""
