"""Training a judge on frozen sets: what is asked for, and the trainers that do it."""
