"""The parts of the Browse page."""
