"""Signatures of this workspace: what the browser is given can only come from here."""

from __future__ import annotations

import os
import secrets
import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from backend.errors import Forbidden, StoreError
from backend.files import write_whole

_KEY_FILE = "secret.key"
_lock = threading.Lock()


def signer(folder: Path, purpose: str) -> URLSafeSerializer:
    """Signs small JSON values for one purpose; what was signed for another does not pass."""
    return URLSafeSerializer(_key(folder), salt=f"winnow:{purpose}")


def verified(folder: Path, purpose: str, token: str) -> Any:
    """The value in ``token``.

    Raises:
        Forbidden: It was not signed here for this purpose.
    """
    try:
        return signer(folder, purpose).loads(token)
    except BadSignature as error:
        raise Forbidden("this link is not valid here", hint="reload the page") from error


def keyed_bit(folder: Path, purpose: str, value: str) -> int:
    """0 or 1: always the same here for one value, and a coin toss to whoever lacks the key."""
    return signer(folder, purpose).make_signer().get_signature(value)[0] & 1


@lru_cache(maxsize=8)
def _key(folder: Path) -> str:
    """The workspace's key: it outlives the server, so that open pages survive its restart."""
    path = folder / _KEY_FILE
    with _lock:
        try:
            if not path.exists():
                _make(path)
            key = path.read_text(encoding="ascii").strip()
        except OSError as error:
            if not os.access(folder, os.W_OK):
                # A read-only workspace: one for as long as this server runs.
                return secrets.token_hex(32)
            raise StoreError(f"{path}: cannot be used ({error.strerror})") from error
    if len(key) < 32:
        raise StoreError(f"{path}: is no key", hint="delete the file; a new one is made")
    return key


def _make(path: Path) -> None:
    # Of two servers that start at once, the first one's key stays.
    with suppress(FileExistsError):
        write_whole(path, secrets.token_hex(32), replace=False, secret=True)
