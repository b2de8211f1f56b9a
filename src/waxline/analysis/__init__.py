"""Explain a run from its results: facts, summary, price accounting, generations."""
