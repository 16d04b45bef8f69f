"""Training: the form, live curves, checkpoints and what they are worth."""
