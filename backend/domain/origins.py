"""Where a page comes from, as browsers say it: scheme, host and port (RFC 6454)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_PORTS = {"http": 80, "https": 443}
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Origin:
    """One origin. Two are the same only if scheme, host and port are."""

    scheme: str
    host: str
    """In lower case; an IPv6 address in its brackets."""
    port: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The origin in an ``Origin`` header or a URL without a path; ``None`` where it is none."""
        scheme, found, authority = text.lower().partition("://")
        return cls.at(scheme, authority) if found else None

    @classmethod
    def at(cls, scheme: str, authority: str) -> Self | None:
        """The origin at a ``Host`` header's value."""
        match = _AUTHORITY.fullmatch(authority.lower())
        if scheme not in _PORTS or match is None:
            return None
        port = int(match[2]) if match[2] else _PORTS[scheme]
        return cls(scheme, match[1], port) if 0 < port < 65_536 else None
