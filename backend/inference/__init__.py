"""Runs: their spec, the pipeline from pairs to predictions, and deciding what is accepted."""
