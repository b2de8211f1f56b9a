"""Waxline: who is liquidated when prices fall, what their forced selling does to the next ones, and what stops it."""

__version__ = "0.1.0"
