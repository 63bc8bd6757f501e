"""ML Metadata as KFP v2 writes it; its contexts and types differ from those of TFX on one machine."""
