"""The server: Streamlit with our routes beside it. Started by ``winnow serve``.

``streamlit run dashboard/app.py`` works too, from a folder where ``dashboard`` can be imported.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from streamlit import config

from backend.errors import SettingsError
from dashboard.identity import login_configured
from dashboard.routes import routes
from dashboard.session import SessionMiddleware
from dashboard.space import forget, shared

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
logging.getLogger("httpx").setLevel(logging.WARNING)

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check_exposure(address: str | None, *, login: bool, allow_open: bool) -> None:
    """Refuse to serve to other machines without a login, unless that was asked for.

    Raises:
        SettingsError: ``address`` can be reached from elsewhere and nobody would have to log in.
    """
    if address in _LOOPBACK or login or allow_open:
        return
    raise SettingsError(
        f"{address or 'every address'} can be reached from other machines, and there is no login",
        hint="set up a login (README, 'More than one person'), or serve on 127.0.0.1",
    )


@asynccontextmanager
async def _lifespan(_app: st.App) -> AsyncIterator[dict[str, Any]]:
    check_exposure(
        config.get_option("server.address"),
        login=login_configured(),
        allow_open=shared().settings.allow_open,
    )
    shared().supervise()
    yield {}
    forget()


app = st.App(
    Path(__file__).parent / "main.py",
    routes=routes,
    middleware=[Middleware(SessionMiddleware)],
    lifespan=_lifespan,
)
