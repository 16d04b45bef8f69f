"""Engines: what runs a judge. One a file, behind one registry; heavy imports only inside."""
