"""Hold what a run leaves behind: arrays, tables, status, provenance and files."""
