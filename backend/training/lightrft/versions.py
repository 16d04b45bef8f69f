"""Whether LightRFT's interpreter has what its checkout asks for, and what Winnow's entry needs there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from backend.domain.preflight import Check, Level
from backend.hints import Hint
from backend.training.folder import read_json
from backend.training.probing import versions_in

OURS = ("python>=3.11", "av>=15", "numpy>=1.26", "pillow>=11", "pydantic>=2.10")
"""What the entry imports of Winnow needs, as in ``pyproject.toml``."""

TRIED = SpecifierSet(">=4.57.1,<5.21")
"""Versions of transformers under which LightRFT's losses were those of inference."""

_USED = ("torch", "transformers", "deepspeed", "qwen-vl-utils", "loguru", "peft", "datasets", "einops", "tensorboard")
_IMPORTED = ("easydict", "flash-attn", "librosa", "matplotlib", "sglang")
"""What it does not use here, and imports all the same."""

_HINT = "name LightRFT's interpreter in WINNOW_LIGHTRFT_PYTHON"


def check_versions(python: str, home: Path, model: str, *, flash_attn: bool) -> Iterator[Check]:
    """What an interpreter has, against what is asked for.

    Args:
        home: LightRFT's checkout, whose ``requirements.txt`` says what it asks for.
        model: The folder or hub name of the model that is trained.
        flash_attn: Whether the training uses it.
    """
    used = (*_USED, "flash-attn") if flash_attn else _USED
    wanted = requirements(home)
    wanted |= {ours.name: ours for ours in map(Requirement, OURS)}
    asked = [*used, *(ours for ours in map(_name, OURS) if ours != "python")]
    rest = [name for name in _IMPORTED if name not in used]
    found = versions_in(python, [*asked, *rest])
    if isinstance(found, str):
        yield Check("Interpreter", Level.FAIL, found, _HINT)
        return
    wrong = list(_unmet(["python", *asked], found, wanted))
    if wrong:
        yield Check("Interpreter", Level.FAIL, f"{python}: {'; '.join(wrong)}", _HINT)
        return
    named = ", ".join(f"{name} {found[name]}" for name in ("python", "torch", "transformers"))
    yield Check("Interpreter", Level.OK, f"{python}: {named}")
    lacking = list(_unmet(rest, found, wanted))
    if lacking:
        said = "which LightRFT imports at its start (read at 49e62cb)"
        yield Check("Imports", Level.WARN, f"{python}: {'; '.join(lacking)}, {said}", _HINT)
    yield from _transformers(found["transformers"] or "", model)


def requirements(home: Path) -> dict[str, Requirement]:
    """What a checkout's ``requirements.txt`` asks for, by name; what cannot be read is passed over."""
    try:
        lines = (home / "requirements.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    found: dict[str, Requirement] = {}
    for line in lines:
        try:
            requirement = Requirement(line.partition("#")[0].strip())
        except InvalidRequirement:
            continue
        found[canonicalize_name(requirement.name)] = requirement
    return found


def _unmet(names: list[str], found: Mapping[str, str | None], wanted: Mapping[str, Requirement]) -> Iterator[str]:
    for name in names:
        version, asked = found[name], wanted.get(name)
        if version is None:
            yield f"{name} is missing"
        elif version and asked and not _within(version, asked.specifier):
            yield f"{name} {version} is not {asked.specifier}"


def _transformers(version: str, model: str) -> Iterator[Check]:
    """The package that makes a model's inputs and positions."""
    saved = str(read_json(Path(model) / "config.json").get("transformers_version", ""))
    if _major(saved) > _major(version):
        yield Check(
            "transformers",
            Level.FAIL,
            f"the model was saved by transformers {saved}; {version} cannot read its configuration",
            Hint("pip install -U transformers in LightRFT's interpreter, or train with {trainer:local}"),
        )
    elif not _within(version, TRIED):
        yield Check(
            "transformers",
            Level.WARN,
            f"{version} was not tried; tried: {TRIED}",
            "hold the first losses against those of the run",
        )


def _within(version: str, asked: SpecifierSet) -> bool:
    try:
        return asked.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return True  # a build of one's own, of which nothing can be said


def _major(version: str) -> int:
    try:
        return Version(version).major
    except InvalidVersion:
        return 0


def _name(requirement: str) -> str:
    return Requirement(requirement).name
