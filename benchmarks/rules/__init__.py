"""The price of diversity, and the quality of similar candidates, on a pushed model."""
