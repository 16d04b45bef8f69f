"""Training files: one writer a format, the manifest, and repairing other scripts' files."""

from backend.export.exporter import Manifest, export_samples, export_set, is_our_export, set_of_file
from backend.export.formats import FORMATS

__all__ = ["FORMATS", "Manifest", "export_samples", "export_set", "is_our_export", "set_of_file"]
