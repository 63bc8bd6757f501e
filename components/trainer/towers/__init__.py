"""The candidate tower, the two kinds of query tower, and their layers."""
