"""Drills: long, seeded attacks on a real workspace. ``python -m tests.drills --help``; docs/reliability.md."""
