"""Names of metrics, and the statistics of their uncertainty."""
