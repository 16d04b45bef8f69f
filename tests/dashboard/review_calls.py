"""Calling the routes of the review page as its pair viewer does."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from backend.store.queues import QueueRow
from backend.workspace import Workspace
from dashboard.signing import signer

SESSION = "a" * 32
LATER = 4_000_000_000


def bearer(space: Workspace, name: str, session: str = SESSION, expires: int = LATER) -> str:
    claims = [session, name, "reviewer", expires]
    return f"Bearer {signer(space.folder, 'api').dumps(claims)}"


def ruling(queue: QueueRow, item: dict[str, Any], token: str = "t", **more: Any) -> dict[str, Any]:
    return {
        "token": token,
        "queue": queue.id,
        "position": item["position"],
        "prediction_id": item["prediction"],
        "ruling": "accept",
        **more,
    }


def get_items(client: TestClient, queue: QueueRow, query: str = "from=0&count=5") -> list[Any]:
    answer = client.get(f"/winnow/review/{queue.id}/items?{query}")
    assert answer.status_code == 200
    return list(answer.json()["items"])


def post(client: TestClient, *rulings: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/winnow/review/rulings", json={"rulings": list(rulings)})
    assert answer.status_code == 200
    return dict(answer.json())


def detail(client: TestClient, queue: QueueRow, prediction: int) -> dict[str, Any]:
    answer = client.get(f"/winnow/review/{queue.id}/predictions/{prediction}")
    assert answer.status_code == 200
    return dict(answer.json())


TELLING = {
    "answer",
    "preferred",
    "margin",
    "scores",
    "decision",
    "reason",
    "effective",
    "pieces",
    "length",
    "flaws",
    "siblings",
    "order",
    "ruling",
    "reviewer",
    "cut",
}
