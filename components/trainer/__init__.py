"""The two towers: their model, losses, training and export."""
