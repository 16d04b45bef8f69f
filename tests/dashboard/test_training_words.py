"""What the training form says of an option is true of the trainer that was chosen."""

from __future__ import annotations

from pathlib import Path

from backend.training.failures import explain
from dashboard.hints import plain
from dashboard.training.options import GROUPS, used_by, used_names


def words_of(trainer: str) -> dict[str, str]:
    options = used_by(used_names(trainer), GROUPS["Rows and media"], trainer)
    return {option.name: option.when for option in options}


def test_lightrft_is_not_said_to_leave_long_rows_out_nor_to_draw_a_validation_curve() -> None:
    local, lightrft = words_of("local"), words_of("lightrft")
    assert "longer rows are left out" in local["prompt_max_len"]
    assert "validation curve" in local["validation"]
    assert "trains on every row" in lightrft["prompt_max_len"]
    assert "eval/accuracy" in lightrft["validation"]
    same = lightrft.keys() & local.keys() - {"prompt_max_len", "validation"}
    assert same and all(lightrft[name] == local[name] for name in same)


def test_out_of_memory_names_the_knob_that_lightrft_lacks_as_such(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\n")
    meaning, hint = explain(log, 1)
    assert meaning == "out of GPU memory"
    assert "under LightRFT it leaves no row out" in str(hint)
    assert "prompt_max_len" in plain(hint) and "--" not in plain(hint)
