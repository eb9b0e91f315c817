"""Which encoding a text file has, when it does not say.

Made for tables out of hospital systems: UTF-8, UTF-16, Big5 (code page 950), GB18030, and the
Western code page 1252. The two Chinese encodings share nearly all byte pairs, so validity alone
cannot tell them apart; how common the decoded characters are can. General detectors choose among
a hundred encodings and need more text than a table of one row has (charset-normalizer takes two
Big5 characters for UTF-16).
"""

from __future__ import annotations

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

#: Bytes beyond ASCII that are judged; more would not change the verdict.
_SAMPLE = 1 << 15

#: Characters at the beginning that tell whether a file is text, and how many of them, or which
#: share, may be none.
_BINARY_SAMPLE, _FEW_STRANGE, _MOST_STRANGE = 1 << 16, 4, 0.03

_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_FOREIGN_LINE = re.compile(rb"[^\r\n]*[\x80-\xff][^\r\n]*")

# Pairs of these lead bytes hold the frequent characters of each set (level 1 of Big5, of GB 2312),
# or its punctuation.
_BIG5_COMMON = (0xA4, 0xC6)
_BIG5_SIGNS = (0xA1, 0xA3)
_GB_COMMON = (0xB0, 0xD7)
_GB_SIGNS = (0xA1, 0xA3)

#: Share of frequent characters under which a text is not taken for Chinese.
_LEAST_COMMON = 0.6

# Frequent in reports; each is read from other bytes in the other encoding.
_TRADITIONAL = frozenset(
    "的肝腫瘤動脈門靜期無有顯影病變診斷報告檢查囊轉移癌右左葉"
    "大小約於現見為個號姓名與及在之後前肺腹水正常脾腎結"
)
_SIMPLIFIED = frozenset(
    "的肝肿瘤动脉门静期无有显影病变诊断报告检查囊转移癌右左叶"
    "大小约于现见为个号姓名与及在之后前肺腹水正常脾肾结"
)


def decode_text(content: bytes) -> tuple[str, str, bool]:
    """Decode a text file.

    Returns
    -------
    text : str
        What cannot be decoded is U+FFFD; NUL characters are kept.
    encoding : str
        Name of the codec.
    is_sure
        False when the encoding is a guess that nothing supports, or bytes were undecodable.
    """
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            text = content.decode(encoding, errors="replace")
            return text, encoding, "\ufffd" not in text
    if (utf16 := _utf16_without_bom(content)) is not None:
        return content.decode(utf16, errors="replace"), utf16, True
    try:
        return content.decode("utf-8"), "utf-8", True
    except UnicodeDecodeError:
        text = content.decode("utf-8", errors="replace")
    foreign = sum(len(run) for run in _BEYOND_ASCII.findall(text))
    if text.count("\ufffd") * 10 <= foreign:  # UTF-8 with a bad byte here and there, or cut short
        return text, "utf-8", False
    chinese = _chinese_encoding(_foreign_bytes(content))
    text = content.decode(chinese or "cp1252", errors="replace")
    return text, chinese or "cp1252", chinese is not None and "\ufffd" not in text


def is_binary(text: str) -> bool:
    """Whether decoded content is no text at all: a picture, an archive, a damaged file.

    A zero byte or a bad character here and there is no reason: hospital systems write them.
    """
    sample = text[:_BINARY_SAMPLE]
    strange = sum(c == "\ufffd" or (c < " " and c not in "\t\n\r\f\x1a") for c in sample)
    return strange > max(_FEW_STRANGE, _MOST_STRANGE * len(sample))


def _foreign_bytes(content: bytes) -> bytes:
    """The lines that hold more than ASCII, up to the size of the sample."""
    lines: list[bytes] = []
    size = 0
    for line in _FOREIGN_LINE.finditer(content):
        lines.append(line[0][:_SAMPLE])
        size += len(lines[-1])
        if size > _SAMPLE:
            break
    return b"\n".join(lines)


def _utf16_without_bom(content: bytes) -> str | None:
    """``utf-16-le`` or ``-be`` when zeros stand at every other place only, as in the titles."""
    sample = content[:4096]
    half = len(sample) // 2
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.2 * half and even < 0.02 * half:
        return "utf-16-le"
    if even > 0.2 * half and odd < 0.02 * half:
        return "utf-16-be"
    return None


def _chinese_encoding(sample: bytes) -> str | None:
    big5 = _share_of_common(sample, _BIG5_COMMON, _BIG5_SIGNS, (0x40, 0x7E))
    gb = _share_of_common(sample, _GB_COMMON, _GB_SIGNS, None)
    big5 += _share_of_known(sample, "cp950", _TRADITIONAL)
    gb += _share_of_known(sample, "gb18030", _SIMPLIFIED)
    if max(big5, gb) < _LEAST_COMMON:
        return None
    return "cp950" if big5 >= gb else "gb18030"


def _share_of_common(
    sample: bytes,
    common: tuple[int, int],
    signs: tuple[int, int],
    low_trail: tuple[int, int] | None,
) -> float:
    """Share of byte pairs that are frequent characters or signs of a double-byte set."""
    pairs = hits = place = 0
    while place < len(sample) - 1:
        lead, trail = sample[place], sample[place + 1]
        if lead < 0x80:
            place += 1
            continue
        pairs += 1
        is_trail = trail >= 0xA1 or (low_trail and low_trail[0] <= trail <= low_trail[1])
        if is_trail and (common[0] <= lead <= common[1] or signs[0] <= lead <= signs[1]):
            hits += 1
        place += 2
    return hits / pairs if pairs else 0.0


def _share_of_known(sample: bytes, encoding: str, known: frozenset[str]) -> float:
    """Share of the characters beyond ASCII that are frequent in reports."""
    text = [c for c in sample.decode(encoding, errors="replace") if ord(c) > 0x2E80]
    return sum(c in known for c in text) / len(text) if text else 0.0
