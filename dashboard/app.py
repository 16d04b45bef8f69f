"""The server: Streamlit with our routes beside it. Started by ``python -m dashboard``, which ``winnow serve``
runs. ``streamlit run dashboard/app.py`` works too, where ``dashboard`` can be imported, as safe but plain.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from streamlit import config

from backend.domain import statistics
from backend.errors import WinnowError
from dashboard.exposure import check_exposure
from dashboard.identity import login_configured, login_origins
from dashboard.origins import Door, DoorMiddleware
from dashboard.routes import routes
from dashboard.session import SessionMiddleware
from dashboard.space import forget, shared

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
logging.getLogger("httpx").setLevel(logging.WARNING)


@asynccontextmanager
async def _lifespan(_app: st.App) -> AsyncIterator[dict[str, Any]]:
    shared().supervise()
    Thread(target=statistics.import_ahead, daemon=True).start()
    yield {}
    forget()


# Before the server starts: a refusal of its lifespan would be printed with a traceback around it.
try:
    address = config.get_option("server.address")
    settings = shared().settings
    check_exposure(address, login=login_configured(), allow_open=settings.allow_open)
    door = Door(
        settings.public_urls | login_origins(), "https" if config.get_option("server.sslCertFile") else "http", address
    )
except WinnowError as error:
    sys.exit(f"error: {error}" + (f"\nhint: {error.hint}" if error.hint else ""))

app = st.App(
    # Resolved: this package may have been found through a link (backend/jobs/own_path.py).
    Path(__file__).resolve().parent / "main.py",
    routes=routes,
    # Before Streamlit's own routes, and so asked about them too.
    middleware=[Middleware(DoorMiddleware, door=door), Middleware(SessionMiddleware)],
    lifespan=_lifespan,
)
