"""The runs of a workspace: records, rollback, and removal of old artifacts."""
