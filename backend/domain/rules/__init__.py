"""What a filter policy is made of: one rule a file, each named in one line of :mod:`.registry`."""
