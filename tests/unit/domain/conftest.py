"""Property-based tests state what is read, not how fast: a busy machine fails none of them."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
