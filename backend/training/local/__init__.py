"""Winnow's own supervised fine-tuning, with plain torch and transformers.

Next-token loss on the response alone. Everything random is a function of the seed and the step, so
that a resumed training makes the weights that an uninterrupted one would have made.
"""
