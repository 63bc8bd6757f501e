"""What commands print: tables, progress and the log file."""
