"""Reviews and curated sets: what people decide about predictions, and freezing it."""
