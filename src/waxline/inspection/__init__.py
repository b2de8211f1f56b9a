"""The state before any shock, read off the built world without changing it, and the scenario of a calm hour."""
