"""Pure vocabulary and rules: no files, no database, no framework."""
