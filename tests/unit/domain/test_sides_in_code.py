"""Nothing but ``backend/domain/pairs.py`` exchanges sides, or asks in which order a pair was shown.

A side that is exchanged by hand is right until one of the places forgets it; such labels are wrong
without a sign. So code elsewhere calls ``Order.arrange``, ``Order.turn`` or ``Preference.ranked``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HOME = ROOT / "backend" / "domain" / "pairs.py"
SCRIPT = ROOT / "dashboard" / "components" / "pair_viewer" / "standing.js"
ROOMS = ("backend", "dashboard", "pages")

ASKS = "asks for the order: Order.arrange and Order.turn do what depends on it"
HAND = "exchanges two sides by hand: Order.arrange, Order.turn or Preference.ranked (for lists: reversed)"
_ORDERS = {"dataset", "swapped"}
_OPPOSITE = {"first": "second", "second": "first", "1": "2", "2": "1", "a": "b", "b": "a"}


def found_in(source: str) -> list[str]:
    """What a module does about sides that it must not, with its lines."""
    return sorted(f"{line}: {what}" for line, what in _findings(ast.parse(source)))


def _findings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=others) if _compares(left, others):
                yield node.lineno, ASKS
            case ast.MatchValue(value=value) if _is_order(value):
                yield node.lineno, ASKS
            case ast.Constant(value=str(text)) if text == "swapped" or "'swapped'" in text:
                yield node.lineno, ASKS
            case ast.Dict(keys=keys, values=values):
                if any(key is not None and _is_member(key) for key in keys):
                    yield node.lineno, ASKS
                for key, value in zip(keys, values, strict=True):
                    if key is not None and _mirrored(key, value):
                        yield node.lineno, HAND
            case ast.Tuple(elts=[one, two]) | ast.List(elts=[one, two]) if _turned(one, two):
                yield node.lineno, HAND
            case ast.Assign(targets=[ast.Tuple(elts=[a, b])], value=ast.Tuple(elts=[c, d])):
                if _same(a, d) and _same(b, c):
                    yield node.lineno, HAND
            case ast.IfExp(test=test, body=body, orelse=orelse) if _about_order(test):
                if _mirrored(body, orelse):
                    yield node.lineno, HAND
            case ast.Slice(step=ast.UnaryOp(op=ast.USub())):
                yield node.lineno, HAND
            case ast.Call(func=ast.Attribute(attr="reverse"), args=[]):
                yield node.lineno, HAND


def _compares(left: ast.expr, others: list[ast.expr]) -> bool:
    sides = [left, *others]
    if any(_is_member(side) for side in sides):
        return True
    return any(_is_order(side) for side in sides) and any(_named_order(side) for side in sides)


def _is_member(node: ast.expr) -> bool:
    text = ast.unparse(node)
    return re.fullmatch(r"(\w+\.)*Order\.(DATASET|SWAPPED)(\.value)?", text) is not None


def _is_order(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(_is_order(one) for one in node.elts)
    return _is_member(node) or (isinstance(node, ast.Constant) and node.value in _ORDERS)


def _named_order(node: ast.expr) -> bool:
    return re.search(r"order\b(?!\()", ast.unparse(node)) is not None


def _about_order(node: ast.expr) -> bool:
    return re.search(r"order|swap|turned|flip", ast.unparse(node), re.IGNORECASE) is not None


def _mirrored(one: ast.expr, two: ast.expr) -> bool:
    """Whether two expressions are alike but for the side they name."""
    a, b = ast.unparse(one), ast.unparse(two)
    return a != b and _other_side(a) == b


def _turned(one: ast.expr, two: ast.expr) -> bool:
    """Whether the second of two sides stands before the first."""
    text = ast.unparse(one)
    second = re.search(r"second|\b2\b|_2\b|[a-z]2\b|\[1\]|\[-1\]", text, re.IGNORECASE)
    if second is None or (isinstance(one, ast.Constant) and not isinstance(one.value, str)):
        return False
    if "[1]" in text or "[-1]" in text:
        return re.sub(r"\[-?1\]", "[0]", text) == ast.unparse(two)
    return _mirrored(one, two)


def _other_side(text: str) -> str:
    def other(word: re.Match[str]) -> str:
        lower = word[0].lower()
        turned = _OPPOSITE[lower]
        return turned.upper() if word[0].isupper() else turned

    return re.sub(r"first|second|(?<=[a-z_])[12]\b", other, text, flags=re.IGNORECASE)


def _same(one: ast.expr, two: ast.expr) -> bool:
    return ast.unparse(one) == ast.unparse(two)


def test_no_module_but_the_one_exchanges_sides_or_asks_for_the_order() -> None:
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py") if path != HOME]
    assert len(files) > 200
    found = [
        f"{path.relative_to(ROOT)}:{finding}"
        for path in files
        for finding in found_in(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


def test_one_function_of_the_dashboards_scripts_asks_for_the_order() -> None:
    asks = re.compile(r"[\"'`](?:swapped|dataset)[\"'`]")
    found = [
        (path, line.strip())
        for path in (ROOT / "dashboard").rglob("*.js")
        for line in path.read_text(encoding="utf-8").splitlines()
        if asks.search(line)
    ]
    assert found == [(SCRIPT, 'return order === "swapped" ? ["second", "first"] : ["first", "second"];')]


@pytest.mark.parametrize(
    "source",
    [
        'swapped = item.order == "swapped"',
        "if shown.order is Order.SWAPPED: pass",
        "straight = item.order != Order.DATASET",
        'straight = "dataset" == candidate.order',
        'kept = row["order"] in ("dataset",)',
        "kept = pairs.Order.SWAPPED.value == order",
        "match order:\n    case Order.SWAPPED: pass",
        "places = {Order.DATASET: (0, 1), Order.SWAPPED: (1, 0)}[order]",
        "query = \"CASE WHEN shown_order = 'swapped' THEN 1 END\"",
        'turned = {"first": "second", "second": "first"}',
        "turned = {Preference.FIRST: Preference.SECOND}",
        "media = (item.second_path, item.first_path)",
        'sides = ["second", "first"]',
        "media = [media[1], media[0]]",
        "media = (pair.path2, pair.path1)",
        "path1, path2 = path2, path1",
        "first = pair.second if swap else pair.first",
        'side = "second" if swapped else "first"',
        "side = Preference.SECOND if turned else Preference.FIRST",
        "media = media[::-1]",
        "media.reverse()",
    ],
)
def test_an_exchange_by_hand_is_found(source: str) -> None:
    assert found_in(source)


@pytest.mark.parametrize(
    "source",
    [
        "first, second = order.arrange(item.first, item.second)",
        'order = Order(row.get("order", Order.DATASET))',
        "order = Order.DATASET if same else Order.SWAPPED",
        "orders = [order for order in Order]",
        "both = spec.order is OrderPolicy.BOTH",
        'better = "first" if one > two else "second"',
        "better = Preference.FIRST if totals[0] > totals[1] else Preference.SECOND",
        'name = columns["dataset"] == "dataset"',
        "for row in reversed(rows): pass",
        "low, high = high, limit",
        "pair = (rows[0], rows[1])",
        'words = {"first": "first is better", "second": "second is better"}',
        'hint = "say --order dataset or --order swapped"',
    ],
)
def test_what_exchanges_nothing_is_let_be(source: str) -> None:
    assert not found_in(source)
