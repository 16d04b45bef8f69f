"""The most memory that decoding takes, each case in a process of its own.

    python -m benchmarks.decode_memory                    # this checkout
    python -m benchmarks.decode_memory --root OTHER       # the same cases by another checkout's code

Media are built in a temporary folder. Resident memory of a process that has only imported Winnow is
taken off. ``in flight`` judges small pairs through the ``openai`` engine with 4,096 requests at once,
against a server here that answers after all have come.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LARGE = (11_500, 8_600)
VIDEO_SECONDS = 260
IN_FLIGHT = 4096
EDGE = 512


def build(folder: Path) -> None:
    """A 16-bit TIFF and a JPEG of 99 megapixels, a 720p video, and a pair of small images."""
    import av
    import numpy as np
    from PIL import Image

    coarse = np.random.default_rng(0).integers(0, 255, (86, 115, 3), dtype=np.uint8)
    large = Image.fromarray(coarse).resize(LARGE, Image.Resampling.BILINEAR)
    large.save(folder / "large.jpg", quality=85)
    large.save(folder / "large-rgb.tif", compression="tiff_lzw")
    grey = np.asarray(large.convert("L")).astype(np.uint16) * 257
    Image.fromarray(grey).save(folder / "large-16.tif")
    for name in ("small-a", "small-b"):
        large.resize((EDGE, EDGE)).save(folder / f"{name}.jpg")
    del large, grey
    picture = np.asarray(Image.fromarray(coarse).resize((1280, 720)))
    with av.open(str(folder / "video.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=4, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for number in range(4 * VIDEO_SECONDS):
            frame = np.roll(picture, number, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def read(paths: list[str], at_once: int) -> None:
    from backend.domain.pairs import MediaKind
    from backend.media.reading import read_medium

    def one(path: str) -> int:
        kind = MediaKind.VIDEO if path.endswith("mp4") else MediaKind.IMAGE
        read_medium(Path(path), kind, fps=2.0, max_pixels=282_240, factor=28)
        return 0

    started, before = time.monotonic(), _peak()
    with ThreadPoolExecutor(at_once) as pool:
        sum(pool.map(one, paths))
    print(json.dumps([_peak() - before, time.monotonic() - started]))


def in_flight(folder: str, address: str) -> None:
    from backend.domain.filtering import Policy
    from backend.domain.pairs import OrderPolicy
    from backend.engines.base import EngineOptions
    from backend.engines.registry import load_engine
    from backend.inference.pipeline import Pipeline
    from backend.inference.spec import RunSpec, instructions
    from backend.ingest.importer import import_dataset
    from backend.store.database import Database
    from backend.store.runs import Runs
    from backend.store.upgrade import upgrade

    media, own = Path(folder), Path(tempfile.mkdtemp())
    row = {"path1": "small-a.jpg", "path2": "small-b.jpg"}
    rows = [{"prompt": f"caption {number}", **row} for number in range(IN_FLIGHT)]
    (media / "rows.json").write_text(json.dumps(rows))
    database = Database(own / "w.db")
    upgrade(database)
    dataset = import_dataset(database, name="d", spec=f"hpdv3:{media / 'rows.json'}", check_media=False)
    options = EngineOptions(batch_size=IN_FLIGHT, endpoints=(address,))
    spec = RunSpec(
        model="m",
        engine="openai",
        options=options,
        order=OrderPolicy.DATASET,
        instruction=instructions(None, use_cot=True),
    )
    with database.write() as connection:
        run = Runs(database).add(
            connection,
            dataset_id=dataset.id,
            model="m",
            engine="openai",
            spec=spec.model_dump(mode="json"),
            policy={},
            total=IN_FLIGHT,
            job_id=None,
        )
    engine = load_engine("openai", "m", options)
    started, before = time.monotonic(), _peak()
    Pipeline(
        database, run_id=run, dataset_id=dataset.id, data_root=media, spec=spec, policy=Policy(), total=IN_FLIGHT
    ).run(engine)
    print(json.dumps([_peak() - before, time.monotonic() - started]))


def serve(latency: float) -> ThreadingHTTPServer:
    class Judge(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            left = int(self.headers["Content-Length"])
            while left:
                left -= len(self.rfile.read(min(left, 1 << 16)))
            time.sleep(latency)
            text = "<think>x</think><answer>Image 1 is better</answer>"
            choice = {"message": {"content": text}, "finish_reason": "stop"}
            body = json.dumps({"choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 4096
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Judge)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _peak() -> float:
    """Of this program alone: what ``getrusage`` says is inherited from the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def _measured(root: Path, *words: object) -> tuple[float, float]:
    code = (
        f"import sys; sys.path[:0] = [{str(root)!r}]; import runpy; sys.argv = ['x', *sys.argv[1:]];"
        f"import backend.media.reading, PIL.Image; PIL.Image.init();"
        f"runpy.run_path({__file__!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *map(str, words)], check=True, capture_output=True, text=True
    )
    megabytes, seconds = json.loads(done.stdout.splitlines()[-1])
    return megabytes, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).parent.parent)
    parser.add_argument("--latency", type=float, default=20.0, help="of the server, seconds")
    parser.add_argument("--read", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--at-once", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--in-flight", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--skip-in-flight", action="store_true")
    given = parser.parse_args()
    if given.read:
        return read(given.read, given.at_once)
    if given.in_flight:
        return in_flight(*given.in_flight)
    print(f"{'what':<34}{'peak MB':>9}{'seconds':>9}")
    with tempfile.TemporaryDirectory(prefix="winnow-decode-") as scratch:
        folder = Path(scratch)
        build(folder)
        cases = [
            ("99 MP TIFF, 16 bits", ["large-16.tif"], 1),
            ("99 MP TIFF, RGB", ["large-rgb.tif"], 1),
            ("99 MP JPEG", ["large.jpg"], 1),
            ("720p video of 260 s", ["video.mp4"], 1),
            ("four TIFFs at once", ["large-16.tif", "large-rgb.tif"] * 2, 4),
            ("four videos at once", ["video.mp4"] * 4, 4),
        ]
        for name, files, at_once in cases:
            paths = [folder / file for file in files]
            megabytes, seconds = _measured(given.root, "--at-once", at_once, "--read", *paths)
            print(f"{name:<34}{megabytes:>9.0f}{seconds:>9.1f}", flush=True)
        if not given.skip_in_flight:
            server = serve(given.latency)
            address = f"http://127.0.0.1:{server.server_port}/v1"
            megabytes, seconds = _measured(given.root, "--in-flight", folder, address)
            print(f"{f'{IN_FLIGHT:,} pairs of {EDGE}² in flight':<34}{megabytes:>9.0f}{seconds:>9.1f}")
    return None


if __name__ == "__main__":
    main()
