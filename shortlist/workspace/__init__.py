"""The workspace: the folder with all files of a pipeline."""

from shortlist.workspace.workspace import TUNED_FILE, Workspace

__all__ = ["TUNED_FILE", "Workspace"]
