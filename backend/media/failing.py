"""Whatever a decoder raises is the error of the medium that it was given.

Pillow's plugins and FFmpeg's bindings raise more kinds of exceptions than anybody lists, and with each
release others. One broken file may cost its own pair, never a run or an import.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from backend.errors import MediaError
from backend.media.opening import NotRegular, unopened
from backend.media.sizes import TOO_LARGE

_LONGEST = 200


@contextmanager
def decoding(name: str, kind: str) -> Iterator[None]:
    """Turn every exception of the block into a :class:`MediaError` about ``name``.

    Args:
        name: Of the file.
        kind: ``image`` or ``video``, for the message.

    Raises:
        MediaError: The block failed, for lack of memory too.
    """
    article = "an image" if kind == "image" else "a video"
    try:
        yield
    except MediaError:
        raise
    except (FileNotFoundError, NotRegular) as error:
        raise unopened(name, error) from error
    except UnidentifiedImageError as error:
        raise MediaError(f"{name}: is not an image of a known format") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MediaError(f"{name}: too large to decode ({reason(error)})", hint=TOO_LARGE) from error
    except MemoryError as error:
        raise MediaError(f"{name}: needs more memory than there is to be decoded") from error
    except Exception as error:
        raise MediaError(f"{name}: cannot be read as {article} ({reason(error)})") from error


def reason(error: BaseException) -> str:
    """What an exception says, on one short, printable line."""
    said = " ".join(str(error).split()) or type(error).__name__
    said = "".join(one if one.isprintable() else "?" for one in said)
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 1]}…"
