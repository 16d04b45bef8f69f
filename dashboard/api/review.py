"""What the pair viewer asks for: items of a queue, rulings to store, statistics.

The viewer calls these routes itself, past Streamlit's script: a ruling must not rerun a page, and
the next pair must be there before the last one is stored.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from backend.curation.audit import audit
from backend.curation.kinds.registry import KINDS
from backend.curation.queues import Queues, Sent
from backend.domain.json_text import load_json
from backend.domain.operations import Operation, require
from backend.domain.people import Person
from backend.errors import Forbidden, NotFound, UsageError, WinnowError
from backend.store.audits import QueueRuling
from backend.store.blindness import Blindness
from backend.store.claims import Slot
from backend.store.items import Item
from backend.store.queues import QueueRow
from backend.store.suspects import votes
from dashboard.answering import answering
from dashboard.api.review_items import blind_json, item_json, why_json
from dashboard.hints import message_of, plain
from dashboard.session import person_of, session_in
from dashboard.space import shared

log = logging.getLogger(__name__)

MOST_AT_ONCE = 60
_LARGEST_BODY = 4_000_000
_LONGEST_NOTE = 10_000
_MOST_TAGS, _LONGEST_TAG = 20, 60
_ACTIONS = 40
_TOO_LARGE = 2**63
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

Posting = Callable[[Request, dict[str, Any]], Response]


def posting(handler: Posting) -> Callable[[Request], Any]:
    """A handler that is given the JSON object in the request's body, and runs in a thread."""

    @answering
    def checked(request: Request) -> Response:
        raw: bytes = request.state.body
        if len(raw) > _LARGEST_BODY:
            raise UsageError("this is too much at once")
        try:
            body = load_json(raw)
        except ValueError as error:
            raise UsageError("the request is no JSON") from error
        if not isinstance(body, dict):
            raise UsageError("the request is no JSON object")
        return handler(request, body)

    @wraps(handler)
    async def wrapped(request: Request) -> Response:
        parts: list[bytes] = []
        size = 0
        async for part in request.stream():
            size += len(part)
            # Read on, so that the client gets its answer, but keep no more than is allowed.
            if size <= _LARGEST_BODY + len(part):
                parts.append(part)
        request.state.body = b"".join(parts)
        return await run_in_threadpool(checked, request)

    return wrapped


def answer(value: Any) -> Response:
    """JSON in ASCII: lone surrogates in a model's text cannot be written as UTF-8."""
    return Response(json.dumps(value), media_type="application/json", headers=_HEADERS)


def reviewer_of(request: Request, operation: Operation = Operation.RULE) -> Person:
    """Who rules.

    Raises:
        Forbidden: The call is not a person's, they may not, or they have not said who they are.
    """
    person = person_of(request)
    require(person, operation)
    if not person.name:
        raise Forbidden("a ruling needs a reviewer", hint="reload the page and say your name")
    return person


@answering
def items(request: Request) -> Response:
    """Free items from ``from`` on, claimed for this reviewer; or with ``before`` the ones they
    have ruled on; with ``exact=1`` also the one at ``from`` itself, whatever its state."""
    name = reviewer_of(request).name
    queues = shared().queues
    queue = queues.get(request.path_params["queue"])
    count = max(1, min(MOST_AT_ONCE, _number(request, "count", 20)))
    if "before" in request.query_params:
        slots = queues.ruled_before(queue, name, position=_number(request, "before", 0), count=count)
        return answer({"items": _items(request, queue, name, slots)})
    handed = queues.hand_out(
        queue,
        name,
        start=max(0, _number(request, "from", 0)),
        count=count,
        exact=request.query_params.get("exact") == "1",
    )
    return answer(
        {
            "items": _items(request, queue, name, handed.slots),
            "expires_at": handed.expires_at,
            "at_end": handed.at_end,
            "progress": _progress(queues, queue, name),
        }
    )


@answering
def prediction(request: Request) -> Response:
    """One prediction: another sample or order, what was cut off, or what a blind ruling opens.

    The text is whole, unless ``brief=1`` asks for it as the items carry it.
    """
    name = reviewer_of(request).name
    queue = shared().queues.get(request.path_params["queue"])
    number = request.path_params["prediction"]
    found = shared().items.get([number])
    if number not in found:
        raise NotFound(f"there is no prediction {number}")
    session = session_in(request.headers.get("cookie", "")) or ""
    item = found[number]
    blindness = shared().blindness
    family = {number, *(one.id for one in item.siblings)}
    # What waits in another queue is open to those who have ruled on it here: they have seen it.
    held = blindness.held_back(name, family)
    waiting = set(held)
    has_ruled = blindness.open_to(queue, name, number)
    if (queue.blind or number in held) and not has_ruled:
        held_by = None if queue.blind else held.get(number)
        seen = number in _seen(name, [number])
        return answer(blind_json(item, session, held_by=held_by, seen=seen))
    if queue.blind:
        waiting |= blindness.waiting(queue, name, family)
    brief = request.query_params.get("brief") == "1"
    hide = _hides(queue) and not has_ruled
    opened = item_json(item, session, hide_others=hide, waiting=waiting, whole=not brief)
    return answer({**opened, "why": _why(queue, name, [item]).get(number)})


@answering
def stats(request: Request) -> Response:
    """Progress and audit statistics; also a sign of life, which keeps the claims: with ``away=1``
    the last one for a while."""
    name = reviewer_of(request).name
    queues = shared().queues
    queue = queues.get(request.path_params["queue"])
    expires = queues.renew(queue, name, away=request.query_params.get("away") == "1")
    progress = _progress(queues, queue, name)
    all_chosen = queue.items in (progress["done"], progress["mine"]) or queues.is_closed(queue)
    return answer(
        {
            "progress": progress,
            "audit": audit(shared().database, queue, name, all_chosen=all_chosen),
            "expires_at": expires,
        }
    )


@posting
def rulings(request: Request, body: dict[str, Any]) -> Response:
    """Store rulings in their order. One that was stored before is acknowledged again."""
    name = reviewer_of(request).name
    given = body.get("rulings")
    if not isinstance(given, list) or len(given) > MOST_AT_ONCE:
        raise UsageError(f"rulings must be a list of at most {MOST_AT_ONCE}")
    sent: list[Sent] = []
    refused: list[tuple[str, WinnowError]] = []
    for row in given:
        token = row.get("token") if isinstance(row, dict) else None
        if not isinstance(token, str):
            raise UsageError("every ruling needs a token")
        try:
            sent.append(_sent(row, token))
        except WinnowError as error:
            refused.append((token, error))
    queues = shared().queues
    stored, not_stored = queues.rule(name, sent)
    progress = {
        number: _progress(queues, queues.get(number), name)
        for number in {one.queue_id for one in sent if one.token in set(stored)}
    }
    return answer(
        {
            "stored": stored,
            "refused": [
                {"token": token, "message": message_of(error), "hint": plain(error.hint) or None}
                for token, error in [*refused, *not_stored]
            ],
            "progress": progress,
        }
    )


@posting
def release(request: Request, body: dict[str, Any]) -> Response:
    """The page was left: others may have what was handed out until ``before``."""
    name = reviewer_of(request).name
    before = body.get("before")
    if not isinstance(before, int | float):
        raise UsageError("before must be a time")
    queues = shared().queues
    queues.release(queues.get(request.path_params["queue"]), name, float(before))
    return answer({})


@posting
def settings(request: Request, body: dict[str, Any]) -> Response:
    """Keep a reviewer's keys, or whether they like to review blind; what is not named stays."""
    name = reviewer_of(request, Operation.KEEP_SETTINGS).name
    people = shared().people
    if "keys" in body:
        keys = body["keys"]
        if (
            not isinstance(keys, dict)
            or len(keys) > _ACTIONS
            or not all(isinstance(key, str) and len(key) <= 20 for key in keys.values())
        ):
            raise UsageError("keys must name one key for each action")
        people.keep_within(name, "review", "keys", keys)
    if "blind" in body:
        people.keep_within(name, "review", "blind", body["blind"] is True)
    return answer({})


def _seen(name: str, numbers: Collection[int]) -> set[int]:
    """Those of these predictions whose verdict a ruling of this reviewer has opened to them before."""
    with shared().database.read() as connection:
        return shared().reviews.said_blind(connection, name, list(numbers))


def _items(request: Request, queue: QueueRow, name: str, slots: list[Slot]) -> list[dict[str, Any]]:
    found = shared().items.get([slot.prediction_id for slot in slots])
    ruled = [slot.position for slot in slots if slot.mine]
    mine: dict[int, QueueRuling] = {}
    if ruled:
        rows = shared().audits.rulings(queue, ruled, reviewer=name)
        mine = {row.position: row for row in rows}
    family = set(found) | {sibling.id for item in found.values() for sibling in item.siblings}
    blindness = shared().blindness
    held = blindness.held_back(name, family)
    waiting = set(held)
    if queue.blind and mine:
        waiting |= blindness.waiting(queue, name, family)
    session = session_in(request.headers.get("cookie", "")) or ""
    why = _why(queue, name, found.values())
    seen = _seen(name, found) if queue.blind or held else set()
    made = []
    for slot in slots:
        own = mine.get(slot.position)
        item = found[slot.prediction_id]
        if own is None and (queue.blind or item.id in held):
            held_by = None if queue.blind else held.get(item.id)
            values = blind_json(item, session, held_by=held_by, seen=item.id in seen)
        else:
            hide = _hides(queue) and own is None
            values = item_json(item, session, hide_others=hide, waiting=waiting)
            values["why"] = why.get(item.id)
        values["position"] = slot.position
        values["mine"] = None if own is None else _own(own)
        made.append(values)
    return made


def _why(queue: QueueRow, name: str, items: Collection[Item]) -> dict[int, Any]:
    """Why the label of each of these is suspect, in a queue of such labels.

    Left out where one of the answers waits for this reviewer in a blind queue: the sum would tell it.
    """
    kind = KINDS.known(queue.kind)
    if kind is None or not kind.doubts_labels or not items:
        return {}
    database = shared().database
    found = votes(database, {item.pair_id for item in items}, queue.spec.get("runs", ()))
    held = Blindness(database).held_back(name, {vote.prediction_id for some in found.values() for vote in some})
    return {
        item.id: why_json(found[item.pair_id])
        for item in items
        if not any(vote.prediction_id in held for vote in found[item.pair_id])
    }


def _own(row: QueueRuling) -> dict[str, Any]:
    return {
        "ruling": row.ruling,
        "relabel": row.relabel,
        "token": row.token,
        "note": row.note,
        "tags": list(row.tags),
        **({} if row.unblinded is None else {"unblinded": row.unblinded}),
    }


def _hides(queue: QueueRow) -> bool:
    """Independent rulings are made without seeing the other's."""
    return queue.rulings_wanted > 1


def _progress(queues: Queues, queue: QueueRow, name: str) -> dict[str, int]:
    done, mine, held = queues.progress(queue, name)
    return {"items": queue.items, "done": done, "mine": mine, "held": held}


def _number(request: Request, name: str, default: int) -> int:
    try:
        return int(request.query_params.get(name, default))
    except ValueError as error:
        raise UsageError(f"{name} must be a number") from error


def _sent(row: dict[str, Any], token: str) -> Sent:
    numbers = [row.get(name) for name in ("queue", "position", "prediction_id")]
    if not all(type(number) is int and 0 <= number < _TOO_LARGE for number in numbers):
        raise UsageError("a ruling names its queue, its position and its prediction")
    note, tags = row.get("note", ""), row.get("tags", [])
    relabel, undoes = row.get("relabel"), row.get("undoes")
    if not isinstance(note, str) or len(note) > _LONGEST_NOTE:
        raise UsageError(f"a note has at most {_LONGEST_NOTE} characters")
    if (
        not isinstance(tags, list)
        or len(tags) > _MOST_TAGS
        or not all(isinstance(tag, str) and 0 < len(tag) <= _LONGEST_TAG for tag in tags)
    ):
        raise UsageError(f"at most {_MOST_TAGS} tags of at most {_LONGEST_TAG} characters")
    unblinded = row.get("unblinded")
    if not (unblinded is None or isinstance(unblinded, bool)):
        raise UsageError("unblinded is true, false or null")
    if not all(side is None or isinstance(side, str) for side in (relabel, undoes)):
        raise UsageError("relabel and undoes are texts")
    return Sent(
        token=token,
        queue_id=int(row["queue"]),
        position=int(row["position"]),
        prediction_id=int(row["prediction_id"]),
        ruling=str(row.get("ruling")),
        relabel=relabel,
        note=note,
        tags=tuple(tags),
        undoes=undoes,
        unblinded=unblinded,
    )


routes = [
    Route("/winnow/review/{queue:int}/items", items, methods=["GET"]),
    Route("/winnow/review/{queue:int}/predictions/{prediction:int}", prediction, methods=["GET"]),
    Route("/winnow/review/{queue:int}/stats", stats, methods=["GET"]),
    Route("/winnow/review/{queue:int}/release", release, methods=["POST"]),
    Route("/winnow/review/rulings", rulings, methods=["POST"]),
    Route("/winnow/review/settings", settings, methods=["POST"]),
]
