"""Edits as bytes, for the journal: a JSON description, then the payloads of the patches.

Layout: length of the JSON as uint32 little-endian, the JSON, then the payload of each patch in
the order of the steps. Tokens are kept, so what replays the edits gets the same revisions.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from labeler.core.edits import Edit, Step, ValueChange
from labeler.core.mask import Box, Patch

_LENGTH = struct.Struct("<I")
_DTYPES = ("uint8", "uint16")


def encode_edit(edit: Edit) -> bytes:
    """Serialize an edit.

    Raises
    ------
    TypeError
        When a value change holds something that JSON cannot.
    """
    steps, payloads = [], []
    for step in edit.steps:
        steps.append(_patch_fields(step) if isinstance(step, Patch) else _change_fields(step))
        if isinstance(step, Patch):
            payloads.append(step.payload)
    text = json.dumps({"name": edit.name, "steps": steps}, separators=(",", ":")).encode()
    return b"".join([_LENGTH.pack(len(text)), text, *payloads])


def decode_edit(data: bytes) -> Edit:
    """Restore an edit; it gets an id of its own.

    Raises
    ------
    ValueError
        When the bytes are no edit.
    """
    try:
        (length,) = _LENGTH.unpack_from(data)
        fields = json.loads(data[_LENGTH.size : _LENGTH.size + length])
        rest = memoryview(data)[_LENGTH.size + length :]
        steps: list[Step] = []
        for step in fields["steps"]:
            if "mask" in step:
                size = int(step["size"])
                if not 0 <= size <= len(rest):
                    raise ValueError("a payload is missing")
                steps.append(_patch(step, bytes(rest[:size])))
                rest = rest[size:]
            else:
                steps.append(_change(step))
        return Edit(str(fields["name"]), tuple(steps))
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("a stored edit is damaged") from error


def _patch_fields(patch: Patch) -> dict[str, Any]:
    return {
        "mask": patch.mask,
        "lo": patch.box.lo_kji,
        "hi": patch.box.hi_kji,
        "dtype": patch.dtype,
        "token": patch.token,
        "size": len(patch.payload),
    }


def _change_fields(change: ValueChange) -> dict[str, Any]:
    return {
        "field": change.field,
        "key": change.key,
        "before": change.before,
        "after": change.after,
        "token": change.token,
    }


def _patch(fields: dict[str, Any], payload: bytes) -> Patch:
    if fields["dtype"] not in _DTYPES:
        raise ValueError("a stored edit is of an unknown type")
    lo_k, lo_j, lo_i = (int(n) for n in fields["lo"])
    hi_k, hi_j, hi_i = (int(n) for n in fields["hi"])
    box = Box((lo_k, lo_j, lo_i), (hi_k, hi_j, hi_i))
    return Patch(str(fields["mask"]), box, fields["dtype"], payload, int(fields["token"]))


def _change(fields: dict[str, Any]) -> ValueChange:
    return ValueChange(
        str(fields["field"]), str(fields["key"]), fields["before"], fields["after"],
        int(fields["token"]),
    )  # fmt: skip
