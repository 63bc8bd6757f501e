"""What runs the Beam steps: how each engine is told, checked and kept at hand."""
