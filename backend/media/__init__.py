"""Media files: resolving paths safely, probing, and decoding images and videos."""
