"""Security: strangers at a real server, hostile files around a real workspace, secrets looked for everywhere."""

from __future__ import annotations

import http.server
import itertools
import json
import os
import random
import secrets
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from itsdangerous import URLSafeSerializer

from backend.domain.people import Person, Role
from backend.errors import Forbidden
from backend.export.formats import FORMATS
from backend.inference.launch import RunRequest
from dashboard.session import COOKIE
from dashboard.signing import signer
from tests.dashboard.review_calls import SESSION, bearer
from tests.drills import hostile
from tests.drills.outcome import Outcome
from tests.drills.stage import Done, Stage

_IN_TIME_S, _ANSWERED_IN_S = 180.0, 60.0
"""What hangs hangs for good; a busy machine takes its time."""
_PRIVATE = 0o077
_UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def drill(outcome: Outcome, seconds: float, folder: Path) -> None:
    """One attack after another, each time in another combination, until the time is over."""
    before = os.umask(0)  # what a careless shell has; a workspace is private whatever it is
    stage = Stage(folder, 8)
    server = stage.serve()
    try:
        while not stage.is_served():
            if server.poll() is not None:
                raise RuntimeError((folder / "server.log").read_text()[-500:])
            time.sleep(0.1)
        attack = Attack(stage, outcome)
        deadline = time.monotonic() + seconds
        for number in itertools.count():
            # The commands take seconds each, so that strangers try the door many times beside one.
            for kind in (*_AT_THE_DOOR * 20, _AROUND[number % len(_AROUND)]):
                if time.monotonic() > deadline:
                    return
                name = kind.__name__.replace("_", " ")
                try:
                    kind(attack, random.Random(f"{outcome.seed}/{name}/{outcome.actions[name]}"))
                except Exception as error:  # noqa: BLE001 - that is a finding, too
                    outcome.wrong(f"{name}: {type(error).__name__}: {error}")
                outcome.actions[name] += 1
    finally:
        server.terminate()
        modes(stage, outcome)
        found_secrets(stage, outcome)
        try:
            server.wait(25)
        except subprocess.TimeoutExpired:
            outcome.wrong("winnow serve did not end when it was asked to")
        stage.close()
        os.umask(before)


class Attack:
    """The stage, and what every attack needs."""

    def __init__(self, stage: Stage, outcome: Outcome) -> None:
        self.stage, self.outcome, self.numbers = stage, outcome, itertools.count()
        self.key = (stage.workspace / "secret.key").read_text() if (stage.workspace / "secret.key").exists() else ""

    def fresh(self, name: str) -> Path:
        folder = self.stage.folder / f"{name}-{next(self.numbers)}"
        folder.mkdir()
        return folder

    def ask(self, method: str, path: str, *headers: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of a request that is sent letter by letter; 0 where the server hangs up."""
        lines = [f"{method} {path} HTTP/1.1", *headers, f"Content-Length: {len(body)}"]
        if not any(one.startswith("Connection:") for one in headers):
            lines.append("Connection: close")
        data = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + body
        where, answer = ("127.0.0.1", self.stage.port), b""
        with socket.create_connection(where, timeout=_ANSWERED_IN_S) as connection:
            connection.sendall(data)
            try:
                while part := connection.recv(65_536):
                    answer += part
                    if answer.startswith(b"HTTP/1.1 101"):
                        break
            except TimeoutError as error:
                raise TimeoutError(f"no end of the answer to {data[:300]!r}: {answer!r}") from error
        words = answer.split(b" ", 2)
        return (int(words[1]) if len(words) > 1 else 0), answer.partition(b"\r\n\r\n")[2]

    def winnow(self, *words: object) -> Done:
        """One command, which ends in time with 0, or with one line and a hint."""
        done = self.stage.winnow(*words, timeout=_IN_TIME_S)
        self.said(words, done)
        return done

    def said(self, words: tuple[object, ...], done: Done) -> None:
        text = done.out + done.err
        if done.code not in (0, 1, 2) or "Traceback" in text or "unexpected:" in text:
            self.outcome.wrong(f"winnow {' '.join(map(str, words))[:120]}: {done.code}: {done.err[-200:]}")
        if "no end after" in done.err:
            self.outcome.wrong(f"winnow {' '.join(map(str, words))[:120]}: {done.err}")
        bad = [one for one in text if (ord(one) < 32 and one not in "\n\t\r") or one in _CONTROLS]
        if bad:
            self.outcome.wrong(f"winnow {words[0]} {words[1]} prints {bad[:3]!a}")
        if any(secret in text for secret in SECRETS):
            self.outcome.wrong(f"winnow {words[0]} {words[1]} prints a secret")
        self.outcome.checked["outputs of commands"] += 1


_CONTROLS = "\x7f\x80\x9b\x9d\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
SECRETS = [f"SECRET{secrets.token_hex(6)}" for _ in range(3)]
"""A password in a URL, a key in a URL's query, and a key in a variable."""


def _own(stage: Stage) -> tuple[str, str]:
    return f"Host: 127.0.0.1:{stage.port}", f"Origin: {stage.url}"


def foreign_origins(attack: Attack, rng: random.Random) -> None:
    """A page from anywhere else opens no websocket and changes nothing; our own does."""
    stage = attack.stage
    host, own = _own(stage)
    port = rng.choice((str(stage.port), "3000", "80", "", f"{stage.port}.evil.example", "65536"))
    name = rng.choice(
        (
            "localhost",
            "127.0.0.1",
            "[::1]",
            "127.1",
            "0.0.0.0",
            "2130706433",
            "evil.example",
            "me@127.0.0.1",
            f"127.0.0.1:{stage.port}.evil.example",
            f"127.0.0.1:{stage.port}@evil.example",
            "LOCALHOST",
        )
    )
    origin = f"{rng.choice(('http', 'https', 'file', 'chrome-extension', ''))}://{name}:{port}"
    origin = rng.choice((origin, origin, origin, "null", "", "*", hostile.text(rng)[:80]))
    # With control characters it would be no HTTP, which the server below us need not answer.
    origin = "".join(one for one in origin if one.isprintable())
    said = [f"Origin: {origin}"] * rng.choice((1, 1, 2))
    if rng.random() < 0.2:
        said = []
    elif rng.random() < 0.1:
        said = [own, f"Origin: {origin}"]
    if said == [own]:
        return
    status, _ = attack.ask("GET", "/_stcore/stream", host, *said, *_UPGRADE)
    if status == 101:
        attack.outcome.wrong(f"a websocket is opened to {said}")
    method, path = rng.choice(
        (
            ("POST", "/winnow/review/rulings"),
            ("PUT", "/_stcore/upload_file/a/b"),
            ("DELETE", "/_stcore/upload_file/a/b"),
            ("POST", "/winnow/review/settings"),
        )
    )
    status, _ = attack.ask(method, path, host, *said, f"Cookie: {COOKIE}={SESSION}", body=b"{}")
    if status < 400 or status >= 500:
        attack.outcome.wrong(f"{method} {path} from {said}: {status}")
    if rng.random() < 0.1:
        status, _ = attack.ask("GET", "/_stcore/stream", host, own, *_UPGRADE)
        if status != 101:
            attack.outcome.wrong(f"our own page is refused: {status}")
    attack.outcome.checked["origins"] += 2


def rebound_hosts(attack: Attack, rng: random.Random) -> None:
    """A foreign name that points at this machine gets nothing, with or without its Origin."""
    port = rng.choice((attack.stage.port, 80, 3000))
    name = rng.choice(
        (
            f"evil.example:{port}",
            "evil.example",
            f"127.0.0.1.evil.example:{port}",
            f"localhost.:{port}x",
            f"localhost.evil.example:{port}",
            f"[::1].evil.example:{port}",
            f"127.0.0.1:{port}, evil.example",
            f"evil.example#127.0.0.1:{port}",
            "",
            f"evil.example:{port}@127.0.0.1:{port}",
        )
    )
    headers = [f"Host: {name}"]
    if rng.random() < 0.2:
        headers.append(f"Host: 127.0.0.1:{attack.stage.port}")
    if rng.random() < 0.7:
        headers.append(f"Origin: http://{name}")
    forwarded = [f"X-Forwarded-Host: 127.0.0.1:{attack.stage.port}"] * (rng.random() < 0.3)
    for path, upgrade in (("/_stcore/stream", _UPGRADE), ("/", ()), ("/winnow/media/x", ())):
        status, body = attack.ask("GET", path, *headers, *forwarded, *upgrade)
        if status == 101 or 200 <= status < 300:
            attack.outcome.wrong(f"{path} is answered to {headers}: {status} {body[:60]!r}")
    attack.outcome.checked["hosts"] += 3


def forged_tokens(attack: Attack, rng: random.Random) -> None:
    """Calls without our token, and links that we did not sign for this browser, are refused."""
    stage = attack.stage
    host, own = _own(stage)
    good, other = bearer(stage.space, "Ada"), "b" * 32
    wrong = rng.choice(
        (
            "",
            "Bearer ",
            "Bearer x",
            f"Basic {good[7:]}",
            bearer(stage.space, "Ada", session=other),
            bearer(stage.space, "Ada", expires=1),
            good[:-1],
            good[: rng.randrange(8, len(good))],
            good.replace(good[9], "A" if good[9] != "A" else "B", 1),
            f"Bearer {signer(stage.workspace, 'download:').dumps([SESSION, 'Ada', 'operator', 4e9])}",
            f"Bearer {URLSafeSerializer('x' * 64, salt='winnow:api').dumps([SESSION, 'Ada', 'operator', 4e9])}",
        )
    )
    method, path = rng.choice(
        (
            ("POST", "/winnow/review/rulings"),
            ("POST", "/winnow/review/settings"),
            ("GET", f"/winnow/review/{stage.queue.id}/items?from=0"),
            ("GET", f"/winnow/review/{stage.queue.id}/stats"),
            ("POST", f"/winnow/review/{stage.queue.id}/release"),
        )
    )
    status, _ = attack.ask(
        method, path, host, own, f"Authorization: {wrong}", f"Cookie: {COOKIE}={SESSION}", body=b'{"rulings": []}'
    )
    if status not in (400, 401, 403):
        attack.outcome.wrong(f"{method} {path} with {wrong[:40]!r}: {status}")
    values = rng.choice(([1, 0, 0, 4e9], ["../x", 0, 0, 4e9], ["..", 4e9], ["/etc", 4e9], [], 7, None))
    purpose = rng.choice((f"medium:{other}", "medium:", f"download:{other}", "api", "mark"))
    token = signer(stage.workspace, purpose).dumps(values)
    if rng.random() < 0.3:
        token = signer(stage.workspace, f"download:{SESSION}").dumps([rng.choice(("..", "/", "")), 4e9])
    if rng.random() < 0.4:
        token = rng.choice(
            (
                "..%2f..%2fsecret.key",
                "../../secret.key",
                "%2e%2e/winnow.db",
                "..\\secret.key",
                "%00",
                "secret.key",
                "a" * 5_000,
                token[:-3],
                token + "A",
            )
        )
    for kind in ("media", "thumb", "download"):
        status, body = attack.ask("GET", f"/winnow/{kind}/{token}", host, f"Cookie: {COOKIE}={SESSION}")
        if not 400 <= status < 500 or (attack.key and attack.key.encode() in body):
            attack.outcome.wrong(f"/winnow/{kind}/{token[:80]}: {status} {body[:80]!r}")
    attack.outcome.checked["tokens"] += 4


def reviewers_as_operators(attack: Attack, rng: random.Random) -> None:
    """Whoever only reviews is refused everything else, by whatever method."""
    space = attack.stage.space.acting_as(Person("eve", Role.REVIEWER))
    (base,) = [row for row in _sets(attack) if row.name == "base"]
    request = RunRequest(dataset="pairs", model="m", engine="scripted")
    acts: dict[str, Callable[[], object]] = {
        "freeze": lambda: space.freeze("x", [1]),
        "export": lambda: space.export(base, format="jsonl", out=attack.stage.folder / "eve"),
        "add a dataset": lambda: space.add_dataset(name="x", spec="pairs:/x.json"),
        "start": lambda: space.launcher.start(request),
        "cancel": lambda: space.launcher.cancel(1),
        "resume": lambda: space.launcher.resume(1),
        "rule on all": lambda: space.rule_on_all([1], "reject", token="x"),
        "undo an act": lambda: space.undo_act("x"),
        "evaluate": lambda: space.evaluate(1, "pairs"),
        "stop a training": lambda: space.training_launcher.stop(1),
        "resume a training": lambda: space.training_launcher.resume(1),
    }
    name = rng.choice(sorted(acts))
    try:
        acts[name]()
    except Forbidden:
        attack.outcome.checked["operations"] += 1
    except Exception as error:  # noqa: BLE001 - whatever it did, it did not ask who acts
        attack.outcome.wrong(f"a reviewer may {name}: {type(error).__name__}: {error}")
    else:
        attack.outcome.wrong(f"a reviewer may {name}")


def _sets(attack: Attack) -> list[object]:
    from backend.curation.sets import list_sets

    return list(list_sets(attack.stage.space.database))


def special_files_in_data(attack: Attack, rng: random.Random) -> None:
    """Links out of the data root, FIFOs and devices are nobody's media: nothing hangs, nothing leaks."""
    stage, folder = attack.stage, attack.fresh("data")
    (folder / "secret.png").write_bytes(b"TOPSECRET")
    inside = folder / "in"
    inside.mkdir()
    good = (stage.folder / "media" / "000-win.jpg").read_bytes()
    names = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    for name in names:
        (inside / name).write_bytes(good)
    rows = [
        {"prompt": f"{folder.name} {n}", "first": names[n], "second": names[n + 1], "preference": "first"}
        for n in range(3)
    ]
    (inside / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    late = rng.random() < 0.7
    if not late:
        _exchange(rng, inside / "a.jpg", folder)
    name = folder.name
    attack.winnow("dataset", "add", f"pairs:{inside}/rows.jsonl", "--name", name)
    if late:  # behind the import's back
        _exchange(rng, inside / "a.jpg", folder)
    done = attack.winnow(
        "run",
        "start",
        "--dataset",
        name,
        "--model",
        "m",
        "--engine",
        "scripted",
        "--scripted-file",
        stage.script,
        "--order",
        "dataset",
        "--wait",
        "--json",
    )
    if done.code == 0:
        counts = json.loads(done.out)["counts"]
        if counts["done"] != 2:
            attack.outcome.wrong(f"{name}: {counts['done']} of 2 pairs with regular media are judged")
        run = json.loads(done.out)["id"]
        set_name = name.replace("_", "-")
        if attack.winnow("set", "create", set_name, "--run", run).code == 0:
            out = stage.folder / f"out-{name}"
            attack.winnow("export", set_name, "--format", rng.choice(sorted(FORMATS)), "--out", out, "--bundle")
            for path in out.rglob("*") if out.exists() else ():
                if path.is_file() and b"TOPSECRET" in path.read_bytes():
                    attack.outcome.wrong(f"{name}: a bundle holds what a link led to: {path.name}")
    with stage.space.database.read() as connection:
        found = connection.exec_driver_sql(
            f"SELECT min(p.id) FROM pairs p JOIN datasets d ON d.id = p.dataset_id WHERE d.name = '{name}'"
        ).scalar()
    host, _ = _own(stage)
    for size, kind in ((0, "media"), (160, "thumb")):
        for side in (0, 1):
            values = [found, side, size, 4_000_000_000]
            token = signer(stage.workspace, f"medium:{SESSION}").dumps(values)
            status, body = attack.ask("GET", f"/winnow/{kind}/{token}", host, f"Cookie: {COOKIE}={SESSION}")
            if status not in (200, 422, 404, 403) or b"TOPSECRET" in body:
                attack.outcome.wrong(f"{kind} of a special file: {status} {body[:60]!r}")
    attack.outcome.checked["special files in data"] += 1


def _exchange(rng: random.Random, path: Path, folder: Path) -> None:
    """Put something else in the place of a file."""
    path.unlink()
    kind = rng.randrange(6)
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        path.symlink_to(folder / "secret.png")
    elif kind == 2:
        path.symlink_to("/dev/zero")
    elif kind == 3:
        path.mkdir()
    elif kind == 4:
        path.symlink_to(path)
    else:
        try:
            os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
        except OSError:  # not everybody may make /dev/zero
            os.mkfifo(path)


def special_input_files(attack: Attack, rng: random.Random) -> None:
    """A FIFO, a device or a folder in the place of a file that a command reads is one line, at once."""
    folder = attack.fresh("input")
    path = folder / rng.choice(("x.json", "x.jsonl", "x.parquet", "x.csv"))
    path.write_text("{}")
    (folder / "secret.png").write_bytes(b"TOPSECRET")
    _exchange(rng, path, folder)
    words: tuple[object, ...] = rng.choice(
        (
            ("dataset", "add", f"pairs:{path}", "--name", folder.name),
            ("run", "import", "--dataset", "pairs", "--predictions", path, "--model", "m"),
            ("review", "import", 1, path),
            ("run", "filter", 1, "--policy", path),
            ("convert", "t2i", "--filtered-samples-path", path, "--output-path", folder / "out.json"),
            ("run", "start", "--dataset", "pairs", "--model", "m", "--engine", "scripted", "--scripted-file", path),
            (
                "run",
                "start",
                "--dataset",
                "pairs",
                "--model",
                "m",
                "--engine",
                "scripted",
                "--scripted-file",
                attack.stage.script,
                "--task-instruction",
                path,
                "--limit",
                1,
            ),
        )
    )
    done = attack.winnow(*words)
    if done.code == 0:
        attack.outcome.wrong(f"{' '.join(map(str, words[:2]))}: a special file was taken")
    attack.outcome.checked["special files given"] += 1


def links_in_outputs(attack: Attack, rng: random.Random) -> None:
    """A link, a FIFO or a device that waits in an output folder leads to nothing of a person's."""
    folder, format = attack.fresh("trap"), rng.choice(sorted(FORMATS))
    victim, elsewhere, out = folder / "victim", folder / "elsewhere", folder / "out"
    victim.write_text("a person's")
    elsewhere.mkdir()
    out.mkdir()
    names = [
        "manifest.json",
        "manifest.json.partial",
        "rejection_sampling_train.json",
        "train.jsonl",
        "train.parquet",
        "rejection_sampling_train.json.partial",
        "train.jsonl.partial",
        "sharegpt.json",
        "dataset_info.json",
        "filtered_samples.json.partial",
        ".winnow-export",
    ]
    bundle = rng.random() < 0.5
    if rng.random() < 0.5:
        # An earlier export, whose files were exchanged for links since.
        attack.winnow("export", "base", "--format", format, "--out", out, *["--bundle"] * bundle)
        there = [path for path in out.iterdir() if path.is_file() and path.name != "manifest.json"]
        names = [rng.choice(there).name] if there else names
        if rng.random() < 0.3:
            names.append("manifest.json.partial")
    for name in names if len(names) < 3 else rng.sample(names, 3):
        (out / name).unlink(missing_ok=True)
        (out / name).symlink_to(victim)
    if bundle:
        media = out / "media"
        if media.is_dir():
            media.rename(folder / "media-before")
        media.symlink_to(elsewhere)
    if rng.random() < 0.15:
        out = folder / "link"
        out.symlink_to(folder / "out")
    attack.winnow("export", "base", "--format", format, "--out", out, *["--bundle"] * bundle)
    if victim.read_text() != "a person's" or victim.is_symlink():
        attack.outcome.wrong(f"export {format}: a link was followed and a person's file overwritten")
    if any(elsewhere.iterdir()):
        attack.outcome.wrong(f"export {format}: media were written through a link")
    attack.outcome.checked["links in outputs"] += 1


def credentials_in_addresses(attack: Attack, rng: random.Random) -> None:
    """A password or a key in an endpoint's URL, and a key in a variable, stay out of the workspace."""
    with _endpoint() as port:
        query = f"?api_key={SECRETS[1]}" if rng.random() < 0.5 else ""
        where = f"http://user:{SECRETS[0]}@127.0.0.1:{port}/v1{query}"
        if rng.random() < 0.4:
            where = f"http://127.0.0.1:{port}/v1"
        name = "DRILL_KEY"
        attack.stage.environment[name] = SECRETS[2]
        done = attack.winnow(
            "run",
            "start",
            "--dataset",
            "pairs",
            "--model",
            "judge",
            "--engine",
            "openai",
            "--endpoint",
            where,
            "--api-key-env",
            name,
            "--limit",
            2,
            "--wait",
            "--json",
        )
        del attack.stage.environment[name]
    if done.code == 0:
        run = json.loads(done.out)["id"]
        attack.winnow("run", "show", run, "--json")
        attack.winnow("run", "log", run)
    attack.outcome.checked["credentials"] += 1


@contextmanager
def _endpoint() -> Iterator[int]:
    """A server that answers each request, and one in two with an error that quotes its headers."""
    count = itertools.count()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, {"data": [{"id": "judge"}]})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if next(count) % 2:
                self._send(400, {"error": {"message": "bad request"}})
                return
            choice = {"message": {"content": "<answer>Image 1 is better</answer>"}, "finish_reason": "stop"}
            self._send(200, {"choices": [choice]})

        def _send(self, status: int, value: object) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


def hostile_names(attack: Attack, rng: random.Random) -> None:
    """What others named shows as text in every output."""
    folder = attack.fresh("names")
    ugly = "\x1b]0;title\x07\x1b[31m\u202egnp.exe\u2066\x9b2J" + hostile.text(rng)[:40].replace("\x00", "")
    row = {"prompt": ugly, "first": "a.jpg", "second": "b.jpg", "preference": "first"}
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    texts = folder / "texts.jsonl"
    texts.write_text(json.dumps({"index": 0, "text": f"{ugly}<answer>Image 1 is better</answer>"}) + "\n")
    name = f"{folder.name} {ugly}".encode("utf-8", "replace").decode()[:150]
    ugly = ugly.encode("utf-8", "replace").decode()
    attack.winnow("dataset", "add", f"pairs:{folder}/rows.jsonl", "--name", name, "--no-check-media")
    done = attack.winnow("run", "import", "--dataset", name, "--predictions", texts, "--model", ugly, "--json")
    run = json.loads(done.out)["id"] if done.code == 0 else 1
    attack.winnow("review", "add", run, "--index", 0, "--ruling", "accept", "--note", ugly, "--reviewer", ugly[:80])
    look: tuple[object, ...]
    for look in rng.sample(
        [
            ("dataset", "list"),
            ("dataset", "show", name),
            ("run", "list"),
            ("run", "show", run),
            ("run", "predictions", run),
            ("run", "predictions", run, "--explain"),
            ("review", "export", run),
            ("dataset", "show", ugly),
            ("run", "show", run, "--json"),
            ("dataset", "list", "--json"),
            ("doctor", "--json"),
        ],
        2,
    ):
        attack.winnow(*look)
    attack.outcome.checked["hostile names"] += 1


_AT_THE_DOOR = (foreign_origins, rebound_hosts, forged_tokens, reviewers_as_operators)
_AROUND = (links_in_outputs, special_files_in_data, credentials_in_addresses, special_input_files, hostile_names)


def modes(stage: Stage, outcome: Outcome) -> None:
    """The workspace's folders are 0700 and its files 0600, though the umask was 0."""
    for path in (stage.workspace, *stage.workspace.rglob("*")):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & _PRIVATE:
            name = path.relative_to(stage.folder)
            outcome.wrong(f"{name.parts[:2]} … {name.suffix or 'folder'}: mode {stat.S_IMODE(mode):o}")
        outcome.checked["modes"] += 1


def found_secrets(stage: Stage, outcome: Outcome) -> None:
    """No file of the workspace or of the exports holds a secret, nor did the server's log."""
    for path in stage.folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            for number, secret in enumerate(SECRETS):
                if secret.encode() in data:
                    outcome.wrong(f"{path.relative_to(stage.folder)} holds secret {number}")
            outcome.checked["files looked through for secrets"] += 1
