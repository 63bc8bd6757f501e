"""The workspace: the folder of all that a pipeline writes."""

from shortlist.workspace.workspace import TUNED_FILE, Workspace

__all__ = ["TUNED_FILE", "Workspace"]
