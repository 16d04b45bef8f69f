"""The words of which verdicts are made, each a token of one letter.

A sentence becomes a string of letters ("Image 1 is clearly better than Image 2" is ``SihBcS``), so that
a rule of :mod:`~backend.domain.reading.rules` is a short pattern over letters, in any language.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from backend.domain.pairs import MediaKind
from backend.domain.reading.names import BOTH, OTHER, SIDE, SPOKEN_SIDE, medium_of, side_of

_NOUN = r"(?:images?|videos?|pictures?|photos?|clips?|ones?|choice|option|match|pick|candidate|response)"
_ALL = (
    r"(?:all|every|each|both|most|general|total|sum|short|summary|conclusion|comparison|essence|overall"
    r"|the\send|the\swhole|my\s(?:opinion|view|judge?ment)|terms\sof\s(?:all|both|overall|general))"
)
# In this order: of several that start at one place, the first is taken.
_TOKENS: tuple[tuple[str, str], ...] = (
    # Break of a sentence; a decimal point is none.
    (".", r"[.!;\n。；…](?![0-9])"),
    ("?", r"[?？]|吗"),
    (",", r"[,、]"),
    # Names. "Both" before sides: "images 1 and 2".
    ("2", rf"{BOTH}|\b(?:both|they|the\stwo|images|videos|responses)\b|两者|两张|两个|二者|两图|双方"),
    ("S", rf"{SIDE}|{SPOKEN_SIDE}"),
    ("O", rf"{OTHER}|\bthe\sothers?\b"),
    # Doubt about the whole text, and taking back.
    (
        "D",
        r"\bnot\s(?:entirely\s|completely\s|really\s)?(?:sure|certain|clear)\b|\b(?:unsure|uncertain|undecided)\b"
        r"|\b(?:hard|difficult|impossible|tough|unable)\sto\s(?:say|tell|decide|choose|judge|determine)\b"
        r"|\b(?:can\s?not|can\st)\s(?:say|tell|decide|choose|judge|determine|be\s(?:sure|certain))\b"
        r"|\b(?:wait|on\ssecond\sthought|scratch\sthat|correction|never\s?mind)\b|不确定|无法(?:判断|确定)|难以(?:判断|确定)",
    ),
    # What denies nothing.
    (
        "h",
        r"\b(?:no|without(?:\s(?:a|any))?)\s(?:doubt|question)\b|\bnot\s(?:only|just|merely)\b|\bby\s(?:far|a\s\w{1,12}\smargin)\b"
        r"|\b(?:would|will|d|can|could)\s(?=(?:choose|prefer|pick|select|say|go|opt|favou?r)\b)",
    ),
    # As good as; the same.
    ("E", r"\bas\s(?:good|strong|convincing|appealing|accurate)\sas\b"),
    (
        "T",
        r"\b(?:a\s)?(?:tie|draw)\b|\btied\b|\bdead\sheat\b|\bequally\s(?:good|bad|well|matched|strong|weak|great|prefer(?:able|red)|excellent"
        r"|poor|fine|valid|appealing|impressive|effective|convincing)\b"
        r"|\b(?:of\s)?(?:the\s)?(?:same|equal|identical|comparable|similar)\s(?:overall\s)?quality\b|\bequal\sin\squality\b|\b(?:on|at)\s(?:a\s)?par\b"
        r"|\bequals?\b(?=\s?(?:$|[.;,!\n]|overall|in\s(?:all|overall|quality)))"
        r"|(?:一样|同样|同等)(?:地)?(?:好|优秀|出色|差)|(?:质量|效果|水平|表现)?(?:相当|相同|持平)|不分(?:上下|伯仲|高下)|难分(?:伯仲|高下|上下)|平局|平手|打平|并列",
    ),
    ("v", r"比起来|相比(?:之下|较|于)?|相较(?!之?于)|对比(?![图视第左右])"),
    # Comparisons. What stands behind them is compared with, and never what is judged.
    (
        "c",
        r"\bthan\b|\b(?:when\s|if\s|as\s)?compared\s(?:to|with|against)\b|\bcomparing\s(?:to|with)\b|\brelative\sto\b|\brather\sthan\b"
        r"|\binstead\sof\b|\bover\b|\bversus\b|\bvs\b\.?|\bas\sopposed\sto\b|\b(?:in|by)\s(?:comparison|contrast)\s(?:to|with)\b|\bunlike\b|\bagainst\b"
        r"|\bopposed\sto\b|\bnext\sto\b|\bbeside\b|\bahead\sof\b|\babove\b|相?较之?于|较之|相对于?(?=[图视第左右前后])|比起(?!来)|比较(?=图|视频|第)|比|较(?=图|视频|第)|对比(?=图|视频|第)",
    ),
    ("l", r"\bto\b"),
    # The verdict itself.
    ("w", r"\b(?:loses|lost|falls\sshort)\b"),
    (
        "<",
        r"\b(?:out(?:performed|done|classed|matched|shone)|beaten|surpassed|exceeded|topped|bested)\sby\b|\binferior\sto\b|\bworse\sthan\b"
        r"|\bless\s\w{1,20}\sthan\b|<{1,3}|≺|没有(?=图|视频|第|左|右)|不如|不及|差于|劣于|逊于|弱于|输给|比不上",
    ),
    (
        ">",
        r"\b(?:out(?:performs?|performed|does|did|shines|shone|classes|classed|matches)|beats?|surpasses|surpassed|exceeds|exceeded|trumps|tops|bests|edges\sout"
        r"|is\sahead\sof|is\ssuperior\sto|is\spreferred\s(?:to|over))\b|>{1,3}|≻|优于|好于|胜过|强于|超过|胜于|更?优于",
    ),
    ("=", r"={1,3}"),
    (
        "W",
        r"\b(?:worse|worst|inferior|weaker|weakest|loser|poorer|less\s\w{1,20})\b|更差|较差|更糟|最差|更弱|差(?=$|[.;,!\n])",
    ),
    (
        "b",
        r"\b(?:wins|won|prevails)\b|更胜一筹|更好|更佳|更优(?:秀)?|较好|较佳|较优|最好|最佳|胜出|获胜|胜(?=$|[.;,!\n])|赢|好(?=$|[.;,!\n])",
    ),
    ("V", r"\b(?:superior|prefer(?:red|able)|winner|winning|victor|ahead)\b"),
    ("B", r"\b(?:better|best|stronger|strongest)\b"),
    (
        "p",
        r"\b(?:prefer|choose|chose|pick|select|favou?r|(?:go|going|went)\s(?:with|for)|vote\sfor|(?:opt|opting)\sfor)s?\b|(?:我)?(?:选择|选|倾向于|更?喜欢|偏好|推荐)",
    ),
    ("g", r"\b(?:goes|go|points|leans?|belongs)\s(?:to|towards?)\b"),
    (
        "L",
        r"\b(?:answer|verdict|choice|decision|preference|conclusion|result|judge?ment|assessment|evaluation|summary|output|selection|pick|favou?rite)s?\b"
        r"|答案|结论|结果|判断|选项|胜者|赢家|最终(?:答案|结论|选择)|总结",
    ),
    # What binds and breaks.
    (
        "d",
        r"\b(?:maybe|perhaps|possibly|probably|might|may|could|would|should|if|unless|either|or|whether|arguably|some\s(?:may|might|say|would)"
        r"|depend(?:s|ing)?|unclear|seems?|appears?|at\s(?:best|most)|(?:critics|some|others|people|many|users|viewers|one|somebody|someone|nobody)\s(?:may\s|might\s|could\s|would\s)?(?:claim|say|argue|think|prefer|feel|believe)s?)\b|可能|也许|或许|不一定|未必|如果|似乎|好像|或(?!许)者?|还是|要么",
    ),
    (
        "k",
        r"\b(?:but|however|although|(?:even\s)?though|while|whereas|yet|despite|except|nevertheless|nonetheless|still,)(?=\W|$)|但是?|不过|然而|虽然|尽管|而(?!且)",
    ),
    (
        "t",
        r"\b(?:so(?!\s(?:far|much))|therefore|thus|hence|consequently|accordingly)\b|因此|所以|故(?=图|视频|第)|综上(?:所述)?",
    ),
    (
        "A",
        rf"\boverall\b|\b(?:in|at|on|for|as|by)\s{_ALL}\b|\ball\s(?:in\sall|things\sconsidered|told)\b|\bon\s(?:the\swhole|balance)\b|\bas\sa\swhole\b|\bfor\s(?:this|that|these|those)\sreasons?\b"
        rf"|\b(?:ultimately|altogether|generally|finally|to\s(?:conclude|sum\sup))\b|总体(?:来说|上|而言)?|整体(?:来说|上|而言)?|综合(?:来看|考虑)?|总的来说",
    ),
    ("r", r"\b(?:because|since|as|due\sto|owing\sto|given)\b|因为|由于"),
    ("o", r"\b(?:only|solely|merely|almost|nearly|virtually)\b|只有|仅仅?|只是|只在"),
    ("z", r"\b(?:quality|performance|result|impression|execution|generation)\b|的?(?:效果|质量|品质|表现)"),
    (
        "q",
        r"\b(?:in|at|on|for|regarding|concerning|terms\sof|with\s(?:respect|regard)\sto|when\sit\scomes\sto|as\s(?:for|to)|from)\b|在|就|方面|上(?=[,更较])",
    ),
    ("f", r"\b(?:of|about|inside|within)\b"),
    ("e", r"\b(?:with|having|by|thanks\sto)\b"),
    (
        "n",
        r"\b(?:not|no|never|neither|nor|none|nothing|nobody|hardly|barely|scarcely|cannot|without|isnt|false|untrue|wrong|doubt|disagree|deny|refuse|fails?|far\sfrom"
        r"|(?:is|was|are|do|does|did|ca|wo|would|could|should|has|have)n\st)\b|并非|并不|并没有|没有|不是|不|未(?!来)",
    ),
    ("s", r"\bs\b|的"),
    ("i", r"\b(?:is|was|are|be|being)\b|是|为"),
    ("a", r"\b(?:the|an?|my|our|this|that|your)\b"),
    ("y", rf"\b{_NOUN}\b"),
    (
        "h",
        r"\b(?:slightly|clearly|much|significantly|marginally|far|definitely|obviously|somewhat|just|bit|little|also|considered|judged|deemed|rated|visually"
        r"|notably|substantially|considerably|noticeably|certainly|clear|strongly|really|here|even|final|wide|margin|hands\sdown|still"
        r"|simply|quite|rather|vastly|decisively|evidently|undoubtedly|way|lot|easily|narrowly|i|we|think|believe|say|it|you|overwhelmingly|both)\b"
        r"|明显|稍微|稍|略微?|显然|更加|要?(?=更|较[好佳优])|远远?|确实|我认为|我觉得|本身|整个|在我看来",
    ),
    ("#", r"[0-9]{1,4}(?:\.[0-9]{1,3})?(?:/[0-9]{1,3})?"),
    (":", r"[:=]|\s[-–—]\s"),
    ("j", r"\band\b|[&/|+]|和|与|跟|及"),
    ("x", r"[^\W\d_]{1,40}(?:-[^\W\d_]{1,40}){0,3}"),
)
_CJK_WORD = r"[\u3400-\u9fff]"
_GROUPS: list[str] = []


def _lexer() -> re.Pattern[str]:
    parts = []
    for letter, pattern in _TOKENS:
        if letter == "x":
            # A run of Chinese has no spaces: its words are told apart one sign at a time.
            pattern = rf"{_CJK_WORD}|(?:(?!{_CJK_WORD})[^\W\d_]){{1,40}}"
        _GROUPS.append(letter)
        parts.append(f"({pattern})")
    return re.compile("|".join(parts), re.IGNORECASE)


_LEXER = _lexer()


class Words(NamedTuple):
    """A text as tokens.

    Attributes:
        letters: One letter a token.
        spans: Where each token stands.
        sides: 0 or 1 for a side's name, by its place in ``letters``.
        media: What each side's name calls its medium, where it says.
    """

    text: str
    letters: str
    spans: list[tuple[int, int]]
    sides: dict[int, int]
    media: dict[int, MediaKind | None]


def words_of(text: str) -> Words:
    """The tokens of ``text``, which is :func:`~backend.domain.reading.plain.undressed`."""
    letters: list[str] = []
    spans: list[tuple[int, int]] = []
    sides: dict[int, int] = {}
    media: dict[int, MediaKind | None] = {}
    for match in _LEXER.finditer(text):
        letter = _GROUPS[(match.lastindex or 1) - 1]
        if letter == "S":
            sides[len(letters)] = side_of(match[0])
            media[len(letters)] = medium_of(match[0])
        letters.append(letter)
        spans.append(match.span())
    return Words(text, "".join(letters), spans, sides, media)
