"""Index benchmark: Shortlist's search compared with other libraries on the same vectors."""
