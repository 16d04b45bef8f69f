"""The preflight: whether a training would work, asked before it is started. Nothing is loaded, but for
a small judge where it is asked to be thorough."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from backend.domain.preflight import Check, Level
from backend.domain.statistics import mcnemar
from backend.engines.models import check_model
from backend.errors import WinnowError
from backend.hints import Hint
from backend.media.paths import name_on_disk
from backend.store.database import Database
from backend.store.sets import SetRow
from backend.store.trainings import Trainings
from backend.training.as_judged import as_judged
from backend.training.base import Trainer
from backend.training.folder import check_free, owned_by, owner_of, read_json
from backend.training.own_texts import own_texts
from backend.training.probing import check_disk, check_gpus, module_names
from backend.training.progress import steps_per_epoch
from backend.training.spec import TrainingSpec

LOOKED_AT = 20_000
"""Media that a preflight looks at; the training itself looks at all before it begins."""

_LOPSIDED = 0.6
_CHANCE = 0.01


def preflight(
    database: Database,
    workspace: Path,
    spec: TrainingSpec,
    trainer: Trainer,
    sets: Sequence[SetRow],
    devices: str,
    *,
    thorough: bool = False,
) -> list[Check]:
    """Everything that can be known before a training starts, in the order a person asks it.

    Args:
        workspace: Its folder.
        sets: Those of the spec.
        devices: The device set that the training will hold.
        thorough: Where nothing else stops it, let a small judge answer a few rows; takes seconds.
    """
    weights = weight_bytes(spec.model)
    checks = [_data(sets), *_rows(spec, sets), *_media(database, sets), _balance(sets)]
    checks += as_judged(database, spec, sets)
    checks += [_model(spec, weights), *_adapters(spec), _output(database, workspace, spec)]
    wanted = spec.gpus_per_node
    checks.append(check_gpus(devices, wanted, weights, spec))
    checks.append(check_disk(Path(spec.output_dir), weights, spec))
    checks += trainer.preflight(spec)
    if thorough and not any(check.level is Level.FAIL for check in checks):
        checks += own_texts(database, spec, trainer, sets, weights)
    return checks


def weight_bytes(model: str) -> int | None:
    """Size of a model folder's weights; ``None`` for a name on the hub."""
    folder = Path(model)
    if not folder.is_dir():
        return None
    files = [*folder.glob("*.safetensors")] or [*folder.glob("*.bin")]
    return sum(file.stat().st_size for file in files)


def _data(sets: Sequence[SetRow]) -> Check:
    said = ", ".join(f"{row.name}@{row.version}: {row.counts['items']:,} rows" for row in sets)
    return Check("Data", Level.OK, said)


def _rows(spec: TrainingSpec, sets: Sequence[SetRow]) -> Iterator[Check]:
    """Whether they make a step at all. Which of them are held out shows the export alone."""
    rows = round(sum(row.counts["items"] for row in sets) * (1 - spec.validation))
    if not steps_per_epoch(spec, rows):
        yield Check(
            "Rows",
            Level.FAIL,
            f"about {rows:,} rows to train on do not fill one step of train_batch_size {spec.train_batch_size}",
            Hint("lower {train_batch_size} or {validation}, or take more rows"),
        )


def _media(database: Database, sets: Sequence[SetRow]) -> Iterator[Check]:
    missing: list[str] = []
    changed: list[str] = []
    seen: set[str] = set()
    for row in sets:
        for item in Trainings(database).media_of_set(row.id):
            if len(seen) >= LOOKED_AT:
                break
            for name in (item.first_path, item.second_path):
                path = os.path.join(item.data_root, name_on_disk(item.data_root, name))
                if path in seen:
                    continue
                seen.add(path)
                try:
                    state = Path(path).stat()
                except OSError:
                    missing.append(path)
                    continue
                # The first is the writer's to choose (cp -p, tar); the second is the kernel's.
                if max(state.st_mtime, state.st_ctime) > row.created_at:
                    changed.append(path)
    if missing:
        many = "1 file is" if len(missing) == 1 else f"{len(missing):,} files are"
        yield Check(
            "Media",
            Level.FAIL,
            f"{many} missing, such as {missing[0]}",
            "bring them back, or freeze a set without these pairs",
        )
    if changed:
        many = "1 file was" if len(changed) == 1 else f"{len(changed):,} files were"
        yield Check(
            "Media",
            Level.WARN,
            f"{many} written, replaced or touched after the set was frozen, such as {changed[0]}",
            "judge and freeze again if their content is another",
        )
    if not missing and not changed:
        among = "all of" if len(seen) < LOOKED_AT else "the first of"
        yield Check(
            "Media",
            Level.OK,
            f"{among} {len(seen):,} files are there, none written or replaced since the set was frozen "
            "(by their times)",
        )


def _balance(sets: Sequence[SetRow]) -> Check:
    counts: Counter[str] = Counter()
    for row in sets:
        counts.update({side: row.counts.get(side, 0) for side in ("first", "second")})
    total = counts["first"] + counts["second"]
    share = counts["first"] / total if total else 0.5
    text = f"{counts['first']:,} rows answer first, {counts['second']:,} second"
    # McNemar's test is the exact binomial one: whether this many of one side may be chance.
    chance = mcnemar(counts["first"], counts["second"])
    if max(share, 1 - share) > _LOPSIDED and chance < _CHANCE:
        return Check(
            "Labels", Level.WARN, text, Hint("the judge may learn to prefer a place; {BALANCE_SET} evens them out")
        )
    return Check("Labels", Level.OK, text)


def _model(spec: TrainingSpec, weights: int | None) -> Check:
    try:
        check_model(spec.model)
    except WinnowError as error:
        return Check("Model", Level.FAIL, error.message, error.hint)
    if weights is None:
        return Check(
            "Model",
            Level.WARN,
            "a name on the hub, not a folder here",
            "the trainer looks for it in its cache, then downloads it",
        )
    if not weights:
        return Check("Model", Level.FAIL, f"{spec.model} holds no weights", "copy the whole model")
    kind = read_json(Path(spec.model) / "config.json").get("model_type")
    return Check("Model", Level.OK, f"{kind}, {weights / 1e9:.2f} GB of weights")


def _adapters(spec: TrainingSpec) -> Iterator[Check]:
    """Whether the model has the modules that adapters are asked for, as PEFT matches their names."""
    modules = module_names(Path(spec.model)) if spec.lora else None
    if spec.lora is None or not modules:
        return
    wanted = spec.lora.target_modules
    lacking = [name for name in wanted if not any(module == name or module.endswith(f".{name}") for module in modules)]
    if lacking:
        level = Level.FAIL if len(lacking) == len(wanted) else Level.WARN
        ends = sorted({module.rpartition(".")[2] for module in modules if module.endswith("_proj")})
        such = f", such as {', '.join(ends)}" if ends else ""
        yield Check(
            "Adapters",
            level,
            f"the model has no module {', '.join(lacking)}",
            Hint("name modules that it has with {lora_target_modules}{such}", such=such),
        )


def _output(database: Database, workspace: Path, spec: TrainingSpec) -> Check:
    folder = Path(spec.output_dir)
    try:
        check_free(folder)
    except WinnowError as error:
        hint = error.hint
        for row in Trainings(database).list():
            if row.output_dir == spec.output_dir and owned_by(folder, owner_of(workspace, row.id)):
                hint = Hint("see {SHOW_TRAINING}; {rest}", on=row.id, rest=error.hint or "")
        return Check("Output folder", Level.FAIL, error.message, hint)
    return Check("Output folder", Level.OK, spec.output_dir)
