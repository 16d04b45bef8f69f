import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.datasets import json_rows as module
from backend.datasets.base import BrokenRow
from backend.datasets.hpdv3 import HPDV3
from backend.errors import DatasetError

SOURCE = HPDV3


def row(n: int, prompt: str = "p") -> dict[str, str]:
    return {"prompt": prompt, "path1": f"{n}a.png", "path2": f"{n}b.png"}


def read(tmp_path, text: str):
    file = tmp_path / "a.json"
    file.write_text(text, encoding="utf-8")
    return list(SOURCE.rows(file))


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_is_read_in_order(tmp_path, indent):
    rows = read(tmp_path, json.dumps([row(n) for n in range(5)], indent=indent))
    assert [(r.row, r.first) for r in rows] == [(n, f"{n}a.png") for n in range(5)]


def test_json_lines_are_read_past_empty_lines_and_a_byte_order_mark(tmp_path):
    rows = read(tmp_path, "\ufeff" + json.dumps(row(0)) + "\n\n" + json.dumps(row(1)) + "\n")
    assert [(r.row, r.first) for r in rows] == [(0, "0a.png"), (1, "1a.png")]


def test_a_broken_line_is_reported_with_its_number_and_skipped(tmp_path):
    rows = read(tmp_path, json.dumps(row(0)) + "\n{oops\n" + json.dumps(row(2)) + "\n")
    assert [r.row for r in rows] == [0, 1, 2]
    assert isinstance(rows[1], BrokenRow)
    assert "line 2: invalid JSON" in rows[1].message
    assert rows[2].first == "2a.png"


@pytest.mark.parametrize("cut", [1, 3, 30, 60])
def test_an_array_that_breaks_off_is_refused_behind_what_came_before(tmp_path, cut):
    file = tmp_path / "a.json"
    file.write_text(json.dumps([row(n) for n in range(4)], indent=0)[:-cut])
    seen = []
    with pytest.raises(DatasetError, match=r"a\.json:\d+: invalid JSON in row") as caught:
        for made in SOURCE.rows(file):
            seen.append(made)
    assert caught.value.hint
    assert [r.first for r in seen] == [f"{n}a.png" for n in range(len(seen))]
    assert len(seen) >= 2


def test_an_array_with_a_broken_element_names_its_line(tmp_path):
    text = f'[{json.dumps(row(0))},\n{json.dumps(row(1))},\n{{"prompt": oops}},\n1]'
    with pytest.raises(DatasetError, match=r":3: invalid JSON in row 2 \(Expecting value\)"):
        read(tmp_path, text)


def test_elements_that_are_no_objects_or_lack_a_field_are_broken(tmp_path):
    rows = read(tmp_path, json.dumps([1, {"prompt": "p", "path1": "a"}, row(2), {**row(3), "path1": 7}]))
    assert [isinstance(r, BrokenRow) for r in rows] == [True, True, False, True]
    assert "path2" in rows[1].message


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=6), st.integers(1, 40), st.booleans())
def test_where_the_buffer_ends_never_changes_what_is_read(tmp_path_factory, prompts, size, ascii_):
    file = tmp_path_factory.mktemp("json") / "a.json"
    data = json.dumps([row(n, p) | {"confidence": n / 7} for n, p in enumerate(prompts)], ensure_ascii=ascii_)
    file.write_bytes(data.encode("utf-8", "surrogatepass"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BUFFER", size)
        small = list(SOURCE.rows(file))
    assert small == list(SOURCE.rows(file))
    if ascii_ or not any("\ud800" <= c <= "\udfff" for p in prompts for c in p):
        assert [r.prompt for r in small] == prompts


@pytest.mark.parametrize("behind", ["x", '[{"n": 2}]', "}", ","])
@pytest.mark.parametrize("space", ["", " \t", "\n\n", " " * (1 << 21)])
def test_what_stands_behind_an_array_is_refused_not_left_out(tmp_path, behind, space):
    whole = json.dumps([row(1), row(2)], indent=0) + space
    with pytest.raises(DatasetError, match="more behind the array's end") as refused:
        read(tmp_path, whole + behind)
    assert f"a.json:{whole.count(chr(10)) + 1}:" in str(refused.value)
    assert len(read(tmp_path, whole)) == 2
