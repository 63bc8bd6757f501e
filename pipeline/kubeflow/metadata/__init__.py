"""ML Metadata as KFP v2 writes it: other contexts and types than those of TFX on one machine."""
