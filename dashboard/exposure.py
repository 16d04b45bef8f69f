"""Who can reach the server, and whether that may be."""

from __future__ import annotations

from backend.errors import SettingsError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_loopback(address: str | None) -> bool:
    """Whether only this machine can reach a server that listens there."""
    return address in _LOOPBACK


def check_exposure(address: str | None, *, login: bool, allow_open: bool) -> None:
    """Refuse to serve to other machines without a login, unless that was asked for.

    Raises:
        SettingsError: ``address`` can be reached from elsewhere and nobody would have to log in.
    """
    if is_loopback(address) or login or allow_open:
        return
    raise SettingsError(
        f"{address or 'every address'} can be reached from other machines, and there is no login",
        hint="set up a login (README, 'More than one person'), or serve on 127.0.0.1",
    )
