"""Every trainer that is registered names options that there are, and is declared under its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.export.formats import FORMATS
from backend.options import options_of
from backend.training.base import Tools, TrainerKind
from backend.training.registry import DEFAULT, TRAINERS, kind_of, load_trainer
from backend.training.spec import SetRef, TrainingSpec
from dashboard.training.options import ALL, used_names
from tests.unit.contracts.checks import check_words

SET = SetRef(id=1, name="s", version=1, content_hash="x", kinds=())


@pytest.fixture(params=[one.name for one in TRAINERS.own])
def kind(request: pytest.FixtureRequest) -> TrainerKind:
    return TRAINERS[request.param]


def test_it_is_declared_under_its_name_with_words_for_who_chooses_it(kind: TrainerKind) -> None:
    assert TRAINERS[kind.name] is kind
    check_words(kind)


def test_what_it_says_of_options_is_of_options_that_there_are(kind: TrainerKind) -> None:
    known = options_of(TrainingSpec)
    assert kind.unsupported_options <= known.keys()
    assert kind.words.keys() <= known.keys() - kind.unsupported_options
    assert kind.data_format is None or kind.data_format in FORMATS


def test_the_form_asks_for_all_but_what_it_has_nothing_for(kind: TrainerKind) -> None:
    if kind.by_template:
        assert used_names(kind.name, frozenset({"max_epochs"})) > {"max_epochs", "data_format"}
        assert "zero_stage" not in used_names(kind.name)
    else:
        assert used_names(kind.name) == ALL.keys() - kind.unsupported_options


def test_a_fresh_folder_has_neither_curves_nor_checkpoints(kind: TrainerKind, tmp_path: Path) -> None:
    spec = TrainingSpec(trainer=kind.name, model="org/judge", output_dir=str(tmp_path), sets=(SET,))
    assert kind_of(spec) is kind
    trainer = load_trainer(kind.name, Tools())
    assert (list(trainer.metrics(tmp_path)), list(trainer.checkpoints(tmp_path))) == ([], [])


def test_the_default_trains_without_anything_of_others() -> None:
    assert not TRAINERS[DEFAULT].by_template
    assert not TRAINERS[DEFAULT].needs_gpu
