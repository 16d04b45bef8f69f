"""What Winnow can be extended by: objects in named lists, its own and those of installed packages.

An object is declared in one file and named in one line: here by its registry, elsewhere by an entry
point of the registry's group in a package's ``pyproject.toml``. It is imported when it is first asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, Protocol, TypeVar

from backend.errors import UsageError
from backend.foreign_text import brief, quoted

log = logging.getLogger(__name__)


class Named(Protocol):
    """An object of a registry."""

    @property
    def name(self) -> str:
        """By which commands and stored rows call it."""
        ...


T = TypeVar("T", bound=Named)


class Registry(Mapping[str, T], Generic[T]):
    """Objects of one kind by name, in order: our own, then those of other packages.

    Args:
        what: The kind, as messages call it.
        group: Of the entry points by which packages add to it.
        built_in: Where each of our own is declared, ``module:NAME``.
    """

    def __init__(self, what: str, group: str, built_in: Mapping[str, str]) -> None:
        self.what, self.group = what, group
        self._built_in = dict(built_in)
        self._loaded: dict[str, T] = {}

    @cached_property
    def _foreign(self) -> dict[str, EntryPoint]:
        found = {one.name: one for one in entry_points(group=self.group)}
        return {name: one for name, one in found.items() if name not in self._built_in}

    def __iter__(self) -> Iterator[str]:
        yield from self._built_in
        yield from self._foreign

    def __len__(self) -> int:
        return len(self._built_in) + len(self._foreign)

    def __contains__(self, name: object) -> bool:
        return name in self._built_in or name in self._foreign

    def __getitem__(self, name: str) -> T:
        if name not in self._loaded:
            if name in self._built_in:
                module, _, attribute = self._built_in[name].partition(":")
                self._loaded[name] = getattr(import_module(module), attribute)
            else:
                self._loaded[name] = self._load(self._foreign[name])
        return self._loaded[name]

    def named(self, name: str, *also: str) -> T:
        """The object of that name.

        Args:
            also: Names that are allowed beside the registry's, for the hint.

        Raises:
            UsageError: There is none.
        """
        if name not in self:
            raise UsageError(f"unknown {self.what} {quoted(name)}", hint=f"one of {', '.join((*also, *self))}")
        return self[name]

    @cached_property
    def own(self) -> tuple[T, ...]:
        """Those that come with Winnow."""
        return tuple(self[name] for name in self._built_in)

    @cached_property
    def usable(self) -> tuple[T, ...]:
        """All that can be loaded. A broken package's is named in the log, and an error where it is used."""
        found = list(self.own)
        for name in self._foreign:
            try:
                found.append(self[name])
            except UsageError as error:
                log.warning("%s", error)
        return tuple(found)

    def known(self, name: str) -> T | None:
        """The object of that name; ``None`` where there is none, or it cannot be loaded."""
        return next((one for one in self.usable if one.name == name), None)

    def _load(self, point: EntryPoint) -> T:
        try:
            loaded: Any = point.load()
        except Exception as error:
            raise UsageError(
                f"{self.what} {quoted(point.name)} cannot be loaded ({brief(error)})",
                hint=f"it is the entry point {quoted(point.value)} of an installed package",
            ) from error
        found: T = loaded
        return found
