"""Case ids as names of files that every system takes, and back."""

from __future__ import annotations

import os
import re

import xxhash

# A file name has 255 bytes; what is written beside a sidecar adds to its name.
_MAX_NAME_BYTES = 200
_HASHED = "%~"
_UNSAFE = re.compile(r'[\x00-\x1f\x7f"%*/:<>?\\|]|[\udc80-\udcff]|^[. ]|[. ]$')
_RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)


def case_file_name(case_id: str) -> str:
    """Turn a case id into a file name that every system takes.

    Unsafe characters become ``%XX`` (bytes of the UTF-8 form), so that :func:`case_id_of` can
    turn the name back. An id that is too long is cut and marked with its hash; the sidecar itself
    tells which case it is.
    """
    name = _UNSAFE.sub(lambda match: _escaped(match[0]), case_id)
    if not name or _RESERVED.match(name):
        name = f"%{name}" if not name else _escaped(name[0]) + name[1:]
    encoded = os.fsencode(name)
    if len(encoded) <= _MAX_NAME_BYTES:
        return name
    digest = xxhash.xxh3_128_hexdigest(os.fsencode(case_id))
    start = encoded[: _MAX_NAME_BYTES - len(digest) - len(_HASHED)].decode("utf-8", "ignore")
    return f"{start}{_HASHED}{digest}"


def case_id_of(file_name: str) -> str | None:
    """The case id a name made by :func:`case_file_name` stands for.

    ``None`` when the name was made by shortening, or not by that function at all.
    """
    if file_name == "%":
        return ""
    if _HASHED in file_name:
        return None
    if re.search(r"%(?![0-9A-F]{2})", file_name):
        return None
    raw = re.sub(
        rb"%([0-9A-F]{2})",
        lambda match: bytes([int(match[1], 16)]),
        file_name.encode("utf-8", "surrogateescape"),
    )
    case_id = os.fsdecode(raw)
    return case_id if case_file_name(case_id) == file_name else None


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
