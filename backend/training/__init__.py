"""Training jobs: the fine-tune that a curated set is for. Their trainers come with the next version."""
