"""Depth curves from files and from a formula: percent bands, snapshots, raw depth streams, power law; how fast depth comes back."""
