"""Which dataset sources there are, and how a dataset is named: ``SOURCE:PATH[,SOURCE:PATH…]``.

Options of a source stand behind its name, ``SOURCE+OPTION=VALUE:PATH``, with what is no letter or digit in a value
written as in a URL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from backend.datasets.base import Source
from backend.errors import DatasetError
from backend.extensions import Registry
from backend.foreign_text import quoted
from backend.options import Options, filled, options_of

SOURCES: Registry[Source] = Registry(
    "source",
    "winnow.sources",
    {
        "hpdv3": "backend.datasets.hpdv3:HPDV3",
        "rapidata-t2v": "backend.datasets.rapidata:RAPIDATA_T2V",
        "rapidata-i2v": "backend.datasets.rapidata:RAPIDATA_I2V",
        "imagegen-cot-reward-5k": "backend.datasets.imagegen_cot_reward:IMAGEGEN_COT_REWARD",
        "pairs": "backend.datasets.pairs:PAIRS",
    },
)


def parse_spec(spec: str) -> list[tuple[Source, Path]]:
    """Split ``SOURCE:PATH[,SOURCE:PATH…]``; every path is made absolute, every source has its options.

    Raises:
        DatasetError: A part names no source, an unknown one, or no path; or a source has no such option, or not with
            that value.
    """
    parsed: list[tuple[Source, Path]] = []
    known = f"known sources: {', '.join(SOURCES)}"
    for part in spec.split(","):
        head, colon, path = part.strip().partition(":")
        if not colon or not path:
            raise DatasetError(
                f"{quoted(part.strip())} is not SOURCE:PATH", hint=f"write SOURCE:PATH for each file; {known}"
            )
        name, *words = head.split("+")
        if name not in SOURCES:
            raise DatasetError(f"unknown source {quoted(name)}", hint=known)
        parsed.append((_with_options(SOURCES[name], words), Path(path).expanduser().absolute()))
    return parsed


def spec_of(parts: Iterable[tuple[Source, Path]]) -> str:
    """The spec that :func:`parse_spec` reads these from."""
    return ",".join(f"{source.spec}:{path}" for source, path in parts)


def with_options(spec: str, given: Mapping[str, Options]) -> str:
    """The spec with options of some of its sources, by name, that were given beside it.

    Raises:
        DatasetError: As of :func:`parse_spec`, or options are given of a source that it does not name.
    """
    if not given:
        return spec
    parts = parse_spec(spec)
    for name in given.keys() - {source.name for source, _ in parts}:
        raise DatasetError(f"options of {name} are given, and no file of it", hint=f"{name}:PATH")
    return spec_of((replace(source, given=given.get(source.name, source.given)), path) for source, path in parts)


def _with_options(source: Source, words: list[str]) -> Source:
    if not words:
        return source
    options = options_of(source.options)
    values: dict[str, Any] = {}
    for word in words:
        name, _, text = word.partition("=")
        value = unquote(text)
        several = name in options and options[name].kind == "lines"
        values[name] = (*values.get(name, ()), value) if several else value
    return replace(source, given=filled(source.options, values, of=f"{source.name}'s", error=DatasetError))
