"""The court: published and closed-form results by id, held against the code of the simulation."""
