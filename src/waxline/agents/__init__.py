"""Owners with behaviour: makers, whales, arbitrageurs, value buyers, trend sellers, noise, informed flow, keepers."""
