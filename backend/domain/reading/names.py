"""What judges call the two sides of a pair: "Image 1", "the second video", "图1", "Picture B".

One vocabulary for answers, scores and the review screen. Sides are 0 (first) and 1 (second).
"""

from __future__ import annotations

import re
from functools import lru_cache

from backend.domain.pairs import MediaKind
from backend.domain.reading.words import OUT_OF, POSSESSIVE

# "The first" and "image two" are names only where what follows is said of them: "the first is".
SAID_OF = (
    rf"(?=\s{{0,2}}(?:[:,;()=.]|$|{POSSESSIVE}\b|(?:is|was|gets?|got|has|scores?|receives?|earns?|wins?"
    rf"|deserves?|achieves?|at|with)\b|[0-9.]{{1,4}}\s{{0,2}}{OUT_OF}))"
)
NOUN = r"(?:image|video|img|picture|photo|clip)"

SIDE = (
    rf"(?:\b{NOUN}s?[ \t_\#*-]{{0,3}}"
    rf"(?:[12](?![0-9A-Za-z])|(?-i:[AB])(?!\w)|(?:one|two)\b{SAID_OF})"
    rf"|\b(?:first|second|1st|2nd)\s(?:{NOUN}|one|option)\b"
    rf"|\bthe\s(?:first|second)\b{SAID_OF}"
    r"|(?:图(?:像|片)?|视频)\s?[12一二AB](?![0-9])"
    r"|第\s?[12一二]\s?[张幅个段]\s?(?:图像|图片|图|视频)?)"
)
"""A name of one side, without groups; for patterns that ignore case."""

SPOKEN_SIDE = (
    rf"(?:\b(?:left|right)(?:[-\s]hand)?\s(?:{NOUN}|one|option|response)\b|左[侧边]?的?(?:图片?|视频)|右[侧边]?的?(?:图片?|视频)"
    r"|\b(?:response|candidate|option|assistant|sample)\s(?:[12](?![0-9A-Za-z])|(?-i:[AB])(?!\w)))"
)
"""More names of one side, for statements alone: in a rationale, the left picture may hang on a wall."""

OTHER = (
    rf"(?:\bthe\sother(?:\s(?:{NOUN}|one|option))?\b|\b(?:the|its)\s(?:former|latter|rival)\b"
    r"|前者|后者|另一[张幅个段](?:图像|图片|图|视频)?)"
)
"""A name whose side depends on what was said before."""

BOTH = (
    r"(?:\bboth\s(?:of\s)?(?:the\s)?(?:images|videos|pictures|clips|them)\b"
    r"|\bboth(?=\s(?:gets?|scores?|receives?|earn|deserve|are|have)\b|\s?:)"
    r"|\b(?:the\stwo|each\sof\sthe)\s(?:images|videos)\b|\beach\s(?:image|video)\b"
    r"|\b(?:images|videos)\s(?:1|(?-i:A))\s(?:and|&)\s(?:2|(?-i:B))(?!\w)"
    r"|两(?:张|幅|个|段)(?:图像|图片|图|视频))"
)
"""A name of both sides at once."""

_MEDIUM = re.compile(r"(video|视频)|image|图", re.IGNORECASE)


@lru_cache(maxsize=256)
def side_of(name: str) -> int:
    """The side that ``name``, a match of :data:`SIDE`, stands for."""
    word = name.casefold().removeprefix("the ")
    if word.startswith(("first", "second", "1st", "2nd")):
        return 0 if word.startswith(("first", "1st")) else 1
    if word.startswith(("left", "right", "左", "右")):
        return 0 if word.startswith(("left", "左")) else 1
    if word.startswith("第"):
        return 0 if "1" in word or "一" in word else 1
    return 0 if word.endswith(("1", "a", "一", "one")) else 1


def medium_of(name: str) -> MediaKind | None:
    """The medium in a side's name; ``None`` for "the second one", or a picture or a clip."""
    match = _MEDIUM.search(name)
    if match is None:
        return None
    return MediaKind.VIDEO if match[1] else MediaKind.IMAGE
