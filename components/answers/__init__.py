"""The trained model's answers to a sample of test queries, for the report."""
