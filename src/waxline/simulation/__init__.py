"""A simulation: state, the order of a step, the run, the recorder, the ledger."""
