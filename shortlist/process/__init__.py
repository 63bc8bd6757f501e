"""The process: signals, memory, disk, progress, and the causes of failures."""
