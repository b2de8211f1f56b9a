"""Accounts: balances, positions, margin, watch ladder, and the synthetic population."""
