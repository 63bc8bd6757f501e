"""The process itself: signals, memory, disk, progress, and the causes of failures."""
