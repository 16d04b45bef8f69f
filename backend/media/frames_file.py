"""A video of nothing but the frames that a judge was shown."""

from __future__ import annotations

from fractions import Fraction
from typing import IO

import av
import numpy as np
from numpy.typing import NDArray

from backend.errors import MediaError
from backend.foreign_text import brief


def write_frames(target: IO[bytes], frames: NDArray[np.uint8], *, fps: float) -> None:
    """Write frames as a lossless H.264 MP4 of that frame rate.

    Programs that take ``fps`` frames a second of it take these, whatever their rule.

    Args:
        target: An open file, which can be sought in.
        frames: ``[T, H, W, 3]`` uint8 RGB.

    Raises:
        MediaError: They cannot be encoded.
        OSError: They cannot be written.
    """
    rate = Fraction(fps)
    if rate.denominator > 1000:
        # No file can say it exactly: a hair slower, because whoever rounds down would miss a frame.
        rate = Fraction(round(fps * 9_999), 10_000)
    try:
        with av.open(target, "w", format="mp4") as container:
            stream = container.add_stream("libx264rgb", rate=rate)
            # Whole ticks a frame: a length that is rounded down is a frame less to some readers.
            stream.time_base = 1 / rate
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "rgb24"
            stream.options = {"crf": "0", "preset": "veryfast"}
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
    except (av.FFmpegError, ValueError, IndexError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise MediaError(f"the frames of a video cannot be encoded ({brief(error)})") from error
