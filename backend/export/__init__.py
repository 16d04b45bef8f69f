"""Training files: one object a format, the manifest, and repairing other scripts' files."""
