"""What the environment says. The only reader of Winnow's variables.

========================== ================================================= =======================
variable                   meaning                                           default
========================== ================================================= =======================
WINNOW_WORKSPACE           the workspace's folder                            ./winnow-workspace
WINNOW_DATABASE_URL        an SQLAlchemy URL (SQLite or PostgreSQL)          winnow.db in the folder
WINNOW_SHARED_GROUP        the group that shares the workspace's files       nobody but their owner
WINNOW_<ENGINE>_PYTHON     the interpreter in which that engine runs         this interpreter
WINNOW_LIGHTRFT_PYTHON     the interpreter in which LightRFT trains          this interpreter
LIGHTRFT_HOME              LightRFT's checkout                               none
WINNOW_HEARTBEAT_SECONDS   time between a worker's signs of life             2
WINNOW_STALE_SECONDS       age of a sign of life that counts as death        30
WINNOW_SILENCE_SECONDS     without a token or an answer, a run is ended      900
WINNOW_LOAD_SECONDS        in which a run's model has to be loaded           3600
WINNOW_OUTAGE_SECONDS      how long a job waits for a database that is away   300
WINNOW_DECODE_MEMORY       memory in which one process decodes media at once  1GB
WINNOW_OPERATORS           e-mail addresses of operators, comma-separated; "*"   nobody
                           is everybody who is logged in
WINNOW_ALLOW_OPEN          "yes": serve without a login on any address       no
WINNOW_PUBLIC_URL          addresses under which browsers reach the          this machine's own
                           dashboard, comma-separated, such as
                           https://winnow.example.org
========================== ================================================= =======================

``WINNOW_TEST_…`` are the tests' own and are not looked at here.
"""

from __future__ import annotations

import grp
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ByteSize, ConfigDict, Field, ValidationError, field_validator, model_validator

from backend.domain.origins import Origin
from backend.errors import SettingsError
from backend.foreign_text import quoted

_ENGINE_PYTHON = re.compile(r"WINNOW_(?!TEST_)([A-Z0-9_]+)_PYTHON")
_VARIABLES = {
    "workspace": "WINNOW_WORKSPACE",
    "database_url": "WINNOW_DATABASE_URL",
    "shared_group": "WINNOW_SHARED_GROUP",
    "heartbeat_seconds": "WINNOW_HEARTBEAT_SECONDS",
    "stale_seconds": "WINNOW_STALE_SECONDS",
    "silence_seconds": "WINNOW_SILENCE_SECONDS",
    "load_seconds": "WINNOW_LOAD_SECONDS",
    "outage_seconds": "WINNOW_OUTAGE_SECONDS",
    "decode_memory": "WINNOW_DECODE_MEMORY",
    "operators": "WINNOW_OPERATORS",
    "allow_open": "WINNOW_ALLOW_OPEN",
    "public_urls": "WINNOW_PUBLIC_URL",
    "lightrft_home": "LIGHTRFT_HOME",
}
_HINTS = {
    "workspace": "give a folder, or leave it unset for ./winnow-workspace",
    "database_url": "give sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME, or leave it unset",
    "shared_group": "give the name of a group that you are in, or leave it unset",
    "engine_pythons": "give the path of a Python interpreter that has the engine installed",
    "heartbeat_seconds": "give a number of seconds, such as 2",
    "stale_seconds": "give a number of seconds that is at least three heartbeats, such as 30",
    "silence_seconds": "give a number of seconds, such as 900",
    "load_seconds": "give a number of seconds, such as 3600",
    "outage_seconds": "give a number of seconds, such as 300",
    "decode_memory": "give a size of at least 16MB, such as 500MB or 2GB",
    "operators": "give e-mail addresses separated by commas",
    "allow_open": "give yes or no",
    "public_urls": "give https://HOST or http://HOST:PORT, without a path; several separated by commas",
    "lightrft_home": "give the folder of a checkout of LightRFT, or leave it unset",
}


class Settings(BaseModel):
    """Where the workspace is, and how its jobs run.

    Attributes:
        workspace: The workspace's folder, absolute.
        database_url: The database, or ``None`` for ``winnow.db`` in the folder.
        shared_group: The group that shares the workspace; without one it is its owner's alone.
        engine_pythons: Interpreters by engine or trainer name; one that is not in it runs in this one.
        heartbeat_seconds: Time between a worker's signs of life.
        stale_seconds: Age of a sign of life that counts as death.
        silence_seconds: Time without a token or an answer after which a run's engine has hung.
        load_seconds: The same for loading its model.
        outage_seconds: How long jobs wait for a database that does not answer, before they end as
            interrupted and can be resumed.
        decode_memory: Bytes in which one process decodes media at once.
        operators: Who is an operator when there is a login; ``*`` is everybody who is logged in.
        allow_open: Serve the dashboard without a login on an address that others can reach.
        lightrft_home: LightRFT's checkout; what is in it is looked at when it is needed.
        public_urls: Under which browsers reach the dashboard (a reverse proxy's, a forwarded port's),
            besides this machine's own names on the port that it listens on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    workspace: Path = Path("winnow-workspace")
    database_url: str | None = None
    shared_group: str | None = None
    engine_pythons: dict[str, str] = Field(default_factory=dict)
    heartbeat_seconds: float = Field(default=2.0, gt=0, le=600)
    stale_seconds: float = Field(default=30.0, gt=0, le=86_400)
    silence_seconds: float = Field(default=900.0, gt=0, le=604_800)
    load_seconds: float = Field(default=3600.0, gt=0, le=604_800)
    outage_seconds: float = Field(default=300.0, ge=0, le=86_400)
    decode_memory: ByteSize = Field(default=ByteSize(1_000_000_000), ge=16_000_000)
    operators: frozenset[str] = frozenset()
    allow_open: bool = False
    public_urls: frozenset[Origin] = frozenset()
    lightrft_home: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the variables; one that is empty counts as unset.

        Args:
            environment: Instead of this process's, for tests.

        Raises:
            SettingsError: A variable has a value that cannot be used.
        """
        given = os.environ if environment is None else environment
        values: dict[str, object] = {
            field: given[variable] for field, variable in _VARIABLES.items() if given.get(variable)
        }
        values["engine_pythons"] = {
            match[1].lower(): value
            for variable, value in given.items()
            if value and (match := _ENGINE_PYTHON.fullmatch(variable))
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            field = str(first["loc"][0]) if first["loc"] else ""
            problem = first["msg"].removeprefix("Value error, ")
            name = _VARIABLES.get(field)
            raise SettingsError(
                f"{name}: {problem}" if name else problem, hint=_HINTS.get(field or "stale_seconds")
            ) from error

    @property
    def of_workers(self) -> dict[str, str]:
        """Variables that a run takes from the command that starts or resumes it, not from an earlier one."""
        names = ("silence_seconds", "load_seconds")
        return {_VARIABLES[name]: str(getattr(self, name)) for name in names}

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the database."""
        if self.database_url is not None:
            return self.database_url
        return f"sqlite+pysqlite:///{self.workspace / 'winnow.db'}"

    def python_for(self, engine: str) -> str:
        """The interpreter in which an engine runs."""
        return self.engine_pythons.get(engine, sys.executable)

    @property
    def lightrft_python(self) -> str:
        """The interpreter in which LightRFT trains."""
        return self.python_for("lightrft")

    @field_validator("workspace")
    @classmethod
    def _folder(cls, value: Path) -> Path:
        try:
            folder = value.expanduser().absolute()
        except RuntimeError as error:  # ~name of a user who does not exist
            raise ValueError(str(error)) from error
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is not a folder")
        return folder

    @property
    def shared_gid(self) -> int | None:
        """The id of the group that shares the workspace."""
        return None if self.shared_group is None else grp.getgrnam(self.shared_group).gr_gid

    @field_validator("shared_group")
    @classmethod
    def _known_group(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                grp.getgrnam(value)
            except KeyError as error:
                raise ValueError("there is no such group") from error
        return value

    @field_validator("database_url")
    @classmethod
    def _supported_database(cls, value: str | None) -> str | None:
        if value is None:
            return None
        # Not the value itself in the message: it may hold a password.
        if value.split(":", 1)[0].split("+", 1)[0] not in ("sqlite", "postgresql"):
            raise ValueError("this is no URL of an SQLite or PostgreSQL database")
        return value

    @field_validator("operators", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        if isinstance(value, str):
            return {name.strip().lower() for name in value.split(",") if name.strip()}
        return value

    @field_validator("public_urls", mode="before")
    @classmethod
    def _origins(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        found = set()
        for url in filter(None, (part.strip() for part in value.split(","))):
            origin = Origin.parse(url.removesuffix("/"))
            if origin is None:
                raise ValueError(f"{quoted(url)} is no address of a server")
            found.add(origin)
        return found

    @field_validator("engine_pythons")
    @classmethod
    def _interpreters(cls, value: dict[str, str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for engine, interpreter in value.items():
            path = shutil.which(Path(interpreter).expanduser())
            if path is None:
                raise ValueError(f"WINNOW_{engine.upper()}_PYTHON: there is no interpreter {interpreter}")
            # Absolute, but links are kept: a virtual environment's interpreter is one.
            found[engine] = str(Path(path).absolute())
        return found

    @model_validator(mode="after")
    def _stale_after_some_beats(self) -> Self:
        if self.stale_seconds < 3 * self.heartbeat_seconds:
            raise ValueError("WINNOW_STALE_SECONDS must be at least three times WINNOW_HEARTBEAT_SECONDS")
        return self
