"""What is asked: the typed scenario, its files, its overrides and the library of named scenarios."""
