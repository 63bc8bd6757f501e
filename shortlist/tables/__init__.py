"""Input tables: finding, reading, checking and parsing their files."""
