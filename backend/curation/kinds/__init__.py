"""What a review queue can be made of: one kind a file, each named in one line of :mod:`.registry`."""
