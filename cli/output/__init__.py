"""Output of commands: tables, progress and the log file."""
