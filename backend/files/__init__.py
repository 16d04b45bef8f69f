"""Writing files and folders: no link is followed, nothing is left half, no workspace is open to others.

Everything that Winnow writes goes through this package. It raises ``OSError``; whoever calls it says in
an error of its own what could not be written.
"""

from backend.files.folders import Folder, make_folder
from backend.files.opening import open_appending, open_lock, read_regular
from backend.files.private import keep_private, narrow_umask
from backend.files.whole import WholeFile, copy_new, write_json, write_whole

__all__ = [
    "Folder",
    "WholeFile",
    "copy_new",
    "keep_private",
    "make_folder",
    "narrow_umask",
    "open_appending",
    "open_lock",
    "read_regular",
    "write_json",
    "write_whole",
]
