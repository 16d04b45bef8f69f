"""LightRFT as a trainer: its command, what is put before its script, and what it leaves behind."""
