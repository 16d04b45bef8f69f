"""Encoding rendered frames as the files a dataset holds: JPEG, and MP4 with H.264."""

from __future__ import annotations

import io

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.demo.scenes import CLIP_FPS


def encode_jpeg(image: Image.Image, quality: int = 90) -> bytes:
    """A baseline JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


# x264 looks ahead to choose frame types and bits, and what it then writes differs from call to call on
# noisy frames, one thread or not (seen with x264 164: 26 files of 40 encodings of one clip).
_STEADY = "rc-lookahead=0:mbtree=0:bframes=0:weightp=0"


def encode_mp4(frames: NDArray[np.uint8], fps: int = CLIP_FPS, crf: int = 20) -> bytes:
    """An H.264 MP4 of ``frames`` (``[T, H, W, 3]`` uint8), playable in any browser.

    One thread and fixed settings, so that the same frames give the same bytes.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.options = {"crf": str(crf), "preset": "veryfast", "x264-params": _STEADY}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()
