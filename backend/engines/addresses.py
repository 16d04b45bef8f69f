"""What must not stand in the address of an endpoint.

An endpoint's URL is stored with the run, written into logs and exports, and shown. A password or a key
in it would be too.
"""

from __future__ import annotations

import re

from backend.domain.foreign import quoted
from backend.errors import UsageError
from backend.hints import Hint

_HINT = Hint(
    "export the key, and name its variable with {api_key_env} "
    "(a value with its scheme, such as 'Basic dXNlcjpzZWNyZXQ=', is sent as it is)"
)


def refuse_credentials(url: str) -> None:
    """Refuse a URL with credentials, a query or a fragment in it.

    Raises:
        UsageError: It has one.
    """
    # By its letters: what cannot be parsed would be quoted with its password.
    if set("@?#") & set(url):
        raise UsageError(
            f"endpoint {shown_url(url)}: no credentials and no query in a URL, it is stored and shown", hint=_HINT
        )


def shown_url(url: str) -> str:
    """A URL without credentials, query and fragment, for people and logs."""
    plain = re.split(r"[?#]", url.strip(), maxsplit=1)[0]
    head, slashes, rest = plain.rpartition("//")
    return quoted(f"{head}{slashes}{rest.rpartition('@')[2]}")
