from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from backend.domain.pairs import MediaKind
from backend.errors import MediaError
from backend.media.images import probe_media
from backend.media.reading import read_video


def write_video(path: Path, milliseconds: list[int]) -> None:
    """One frame at each time; the grey level of frame ``n`` is ``8 * n``."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "10", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for n, time in enumerate(milliseconds):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 8 * n, np.uint8), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def shown(frames: np.ndarray) -> list[int]:
    """Which source frames these are, by their grey level."""
    return [round(float(frame.mean()) / 8) for frame in frames]


def test_constant_frame_rate(tmp_path):
    write_video(tmp_path / "a.mp4", [n * 100 for n in range(20)])
    video = read_video(tmp_path / "a.mp4", fps=2.0)
    assert video.indices == (0, 5, 10, 15)
    assert shown(video.frames) == [0, 5, 10, 15]
    assert video.source_fps == pytest.approx(10, rel=0.02)
    assert video.total_frames == 20
    assert video.duration == pytest.approx(2, rel=0.02)


def test_variable_frame_rate_gives_the_frames_on_screen_and_the_average_rate(tmp_path):
    # One second at 10 frames a second, then one frame held, then ten more.
    times = [*(n * 100 for n in range(10)), 1000, *(2000 + n * 100 for n in range(10))]
    write_video(tmp_path / "a.mkv", times)
    video = read_video(tmp_path / "a.mkv", fps=2.0)
    assert video.indices[:5] == (0, 5, 10, 10, 11)
    assert shown(video.frames) == list(video.indices)
    assert video.total_frames == 21
    assert video.source_fps == pytest.approx(21 / video.duration)
    assert video.duration == pytest.approx(3, abs=0.1)


def test_a_truncated_video_is_an_error(tmp_path):
    write_video(tmp_path / "a.mkv", [n * 100 for n in range(30)])
    whole = (tmp_path / "a.mkv").read_bytes()
    for name, data in (("empty.mp4", b""), ("text.mp4", b"no video"), ("head.mkv", whole[:300])):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(MediaError, match=name):
            read_video(tmp_path / name, fps=2.0)


def test_an_mp4_without_its_index_is_an_error(tmp_path):
    write_video(tmp_path / "a.mp4", [n * 100 for n in range(30)])
    whole = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(MediaError):
        read_video(tmp_path / "a.mp4", fps=2.0)
    with pytest.raises(MediaError):
        probe_media(tmp_path / "a.mp4", MediaKind.VIDEO)


def test_an_mp4_whose_pictures_are_cut_off_is_an_error(tmp_path):
    write_video(tmp_path / "raw.mp4", [n * 100 for n in range(30)])
    index_first = {"movflags": "faststart"}  # so that the index survives the cut
    with (
        av.open(str(tmp_path / "raw.mp4")) as source,
        av.open(str(tmp_path / "a.mp4"), "w", options=index_first) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    whole = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: len(whole) - (len(whole) - whole.index(b"mdat")) // 2])
    with pytest.raises(MediaError):
        read_video(tmp_path / "a.mp4", fps=10.0)


def test_a_probe_accepts_a_video_and_refuses_a_file_without_one(tmp_path):
    write_video(tmp_path / "a.mp4", [0, 100])
    probe_media(tmp_path / "a.mp4", MediaKind.VIDEO)
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.sample_rate = 16000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(MediaError, match="no video"):
        probe_media(tmp_path / "sound.mp4", MediaKind.VIDEO)
