"""The command line: read, call, show. One file per command; heavy imports stay inside the functions."""
