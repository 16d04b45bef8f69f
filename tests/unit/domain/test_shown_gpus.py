"""``--device cuda:3`` is GPU 3 of ``nvidia-smi``, whatever CUDA_VISIBLE_DEVICES says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.devices import ORDER, STANDS_FOR, VISIBLE, named_gpus, shown_gpus
from backend.errors import UsageError

UUIDS = {number: (f"GPU-{number:08x}-aaaa", f"MIG-{number:08x}-bbbb", f"MIG-{number:08x}-cccc") for number in range(8)}
NUMBERS = st.lists(st.integers(0, 7), min_size=1, unique=True)


def cuda_counts(listed: str) -> list[int]:
    """The numbers of nvidia-smi that CUDA gives 0, 1, … to under such a list."""
    found = []
    for entry in listed.split(","):
        for number, (gpu, *instances) in UUIDS.items():
            if (
                entry == str(number)
                or gpu.startswith(entry)
                or entry.startswith(f"MIG-{gpu}/")
                or any(instance.startswith(entry) for instance in instances)
            ):
                found.append(number)
    return found


def device(numbers: list[int]) -> str:
    return f"cuda:{','.join(map(str, numbers))}"


@given(NUMBERS, st.data())
def test_a_process_sees_the_named_gpus_and_no_others(visible: list[int], data: st.DataObject):
    """However the environment names them, and in the order in which they were asked for."""
    named = data.draw(st.lists(st.sampled_from(visible), min_size=1, unique=True))
    words = [
        data.draw(st.sampled_from((str(n), UUIDS[n][0], UUIDS[n][0][:12], f"MIG-{UUIDS[n][0]}/1/0", UUIDS[n][1])))
        for n in visible
    ]
    for environment in ({}, {VISIBLE: ",".join(words)}, {VISIBLE: f" {' , '.join(words)} ,-1,5"}):
        shown = shown_gpus(device(named), environment, lambda: UUIDS)
        assert cuda_counts(shown[VISIBLE]) == named
        assert shown[ORDER] == "PCI_BUS_ID"


@given(NUMBERS, NUMBERS)
def test_a_gpu_that_the_environment_hides_is_refused_in_one_line(visible: list[int], named: list[int]):
    for words in ([str(n) for n in visible], [UUIDS[n][0] for n in visible]):
        environment = {VISIBLE: ",".join(words)}
        if set(named) <= set(visible):
            shown_gpus(device(named), environment, lambda: UUIDS)
            continue
        with pytest.raises(UsageError, match="does not show GPU") as caught:
            shown_gpus(device(named), environment, lambda: UUIDS)
        assert "\n" not in caught.value.message and caught.value.hint


@given(NUMBERS, st.data())
def test_a_process_that_was_shown_its_gpus_is_not_narrowed_again(visible: list[int], data: st.DataObject):
    """The worker asks once more, in an interpreter that may have no way to ask for UUIDs."""
    named = device(data.draw(st.lists(st.sampled_from(visible), min_size=1, unique=True)))
    once = shown_gpus(named, {VISIBLE: ",".join(UUIDS[n][0] for n in visible)}, lambda: UUIDS)
    assert shown_gpus(named, once, lambda: None) == once


@pytest.mark.parametrize("devices", ["auto", "cpu", "cuda", ""])
def test_where_no_gpu_is_named_the_environment_stays_as_it_is(devices: str):
    assert shown_gpus(devices, {}, lambda: None) == {}
    environment = {VISIBLE: "GPU-12,3", ORDER: "FASTEST_FIRST", "HOME": "/"}
    assert shown_gpus(devices, environment, lambda: None) == {VISIBLE: "GPU-12,3", ORDER: "FASTEST_FIRST"}


@pytest.mark.parametrize("listed", ["", "-1", "-1,0", ",0", "NoDevFiles"])
def test_a_list_that_shows_cuda_nothing_shows_no_named_gpu(listed: str):
    with pytest.raises(UsageError, match="does not show GPU 0"):
        shown_gpus("cuda:0", {VISIBLE: listed}, lambda: UUIDS)


def test_uuids_that_nobody_can_be_asked_for_are_refused_with_the_way_out():
    with pytest.raises(UsageError, match="by UUID") as caught:
        shown_gpus("cuda:0", {VISIBLE: UUIDS[0][0]}, lambda: None)
    assert "nvidia-ml-py" in str(caught.value.hint)


def test_an_order_that_was_asked_for_stays():
    shown = shown_gpus("cuda:1", {ORDER: "FASTEST_FIRST"}, lambda: None)
    assert shown == {VISIBLE: "1", ORDER: "FASTEST_FIRST", STANDS_FOR: "cuda:1"}


def test_both_ways_to_write_several_name_the_same():
    assert named_gpus("cuda:2,0") == named_gpus("cuda:2,cuda:0") == [2, 0]
