"""All runs of a workspace: what became of them, and what may go."""
