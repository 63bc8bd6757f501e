"""What the model answers to test queries, left for the report to show."""
