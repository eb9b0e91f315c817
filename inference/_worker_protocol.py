"""What the worker's two processes say to each other.

A line of JSON is a message; volumes travel beside it as an anonymous file in memory, whose
descriptor is passed over the same Unix socket. Such a file has no name: it is gone when the last
process that holds it is, however that one ended. Nothing here imports torch.

To the child::

    {"op": "run", "run", "model", "device", "folders", "params", "images"}   and the volumes
    {"op": "cancel", "run"}

To the parent::

    {"kind": "alive"}
    {"kind": "progress", "fraction", "text"}
    {"kind": "result", "device", "seconds", "peak_rss_mb", "weights", ...}   and the mask
    {"kind": "cancelled"}   {"kind": "refused", "text"}   {"kind": "failed", "text"}
"""

from __future__ import annotations

import base64
import json
import math
import mmap
import os
import select
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.contract import Finding, Image, LabelMap, Landmark, Measure, Request, Result
from inference.signals import described_signals, read_signals

_LINE_BYTES_MAX = 16 << 20  # thousands of findings; more is garbage
_CHUNK_BYTES = 1 << 16
_WRITE_BYTES = 1 << 30  # Linux writes at most 2 GB at once
_PAGE_BYTES = 4096


class ChannelClosed(Exception):
    """The other side has gone."""


class ChannelGarbage(Exception):
    """What came is no message."""


class Channel:
    """One end of the connection.

    Parameters
    ----------
    end : socket
        A connected Unix stream socket; the channel closes it.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._poll = select.poll()
        self._poll.register(end, select.POLLIN)
        self._bytes = bytearray()
        self._descriptors: list[int] = []

    def send(self, message: Mapping[str, Any], descriptor: int | None = None) -> None:
        """Send a message, and a file with it.

        Raises
        ------
        ChannelClosed
        """
        line = json.dumps({**message, "file": descriptor is not None}, default=_plain).encode()
        line += b"\n"
        try:
            files = [] if descriptor is None else [descriptor]
            sent = socket.send_fds(self._socket, [line], files)
            self._socket.sendall(line[sent:])
        except OSError as error:
            raise ChannelClosed from error

    def receive(self, timeout_s: float | None) -> tuple[dict[str, Any], int | None] | None:
        """Return the next message and the file that came with it; the caller closes the file.

        Parameters
        ----------
        timeout_s : float or None
            Return None when nothing came for that long; wait without end when None.

        Raises
        ------
        ChannelClosed, ChannelGarbage
        """
        while (end := self._bytes.find(b"\n")) < 0:
            if len(self._bytes) > _LINE_BYTES_MAX:
                raise ChannelGarbage
            if not self._poll.poll(None if timeout_s is None else timeout_s * 1000):
                return None
            try:
                data, descriptors, _, _ = socket.recv_fds(self._socket, _CHUNK_BYTES, 4)
            except OSError as error:
                raise ChannelClosed from error
            self._descriptors += descriptors
            if not data:
                raise ChannelClosed
            self._bytes += data
        line = bytes(self._bytes[:end])
        del self._bytes[: end + 1]
        return self._parsed(line)

    def _parsed(self, line: bytes) -> tuple[dict[str, Any], int | None]:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ChannelGarbage from error
        if not isinstance(message, dict):
            raise ChannelGarbage
        if not message.get("file"):
            return message, None
        if not self._descriptors:
            raise ChannelGarbage
        return message, self._descriptors.pop(0)

    def close(self) -> None:
        """Close the socket, and files that nobody took."""
        self._socket.close()
        while self._descriptors:
            os.close(self._descriptors.pop())


def _plain(value: object) -> object:
    """Return a numpy scalar, or a read-only mapping, as JSON can hold it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be sent")


def memory_file(arrays: Sequence[NDArray[Any]]) -> tuple[int, list[int]]:
    """Return an anonymous file in memory with the arrays, and the offset of each in bytes.

    Raises
    ------
    OSError
        There is not enough memory.
    """
    descriptor = os.memfd_create("volumes", os.MFD_CLOEXEC)
    offsets = []
    end = 0
    try:
        for array in arrays:
            offsets.append(end)
            data = array.data.cast("B")
            done = 0
            while done < len(data):
                piece = data[done : done + _WRITE_BYTES]
                done += os.pwrite(descriptor, piece, end + done)
            end += -(-len(data) // _PAGE_BYTES) * _PAGE_BYTES  # arrays begin on a page
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, offsets


def read_array(
    descriptor: int, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int = 0
) -> NDArray[Any]:
    """Return a copy of an array in a memory file.

    Reads instead of mapping: a file that the other side makes shorter is an error here, not a
    signal that ends the process.

    Raises
    ------
    ValueError
        The file is shorter than the array.
    """
    array = np.empty(shape, dtype)
    data = array.data.cast("B")
    done = 0
    while done < len(data):
        count = os.preadv(descriptor, [data[done : done + _WRITE_BYTES]], offset + done)
        if count == 0:
            raise ValueError("the file in memory is too short")
        done += count
    return array


def request_message(request: Request) -> tuple[dict[str, Any], int]:
    """Return a request as a message, and the memory file of its images."""
    images = request.images
    descriptor, offsets = memory_file([image.array for image in images.values()])
    described = [
        {"phase": phase, "offset": offset, **_described(image)}
        for (phase, image), offset in zip(images.items(), offsets, strict=True)
    ]
    return {"params": dict(request.params), "images": described}, descriptor


def read_request(message: Mapping[str, Any], descriptor: int) -> Request:
    """Return the request of a message; its images are mapped, not copied.

    Raises
    ------
    Exception
        The message is not one of :func:`request_message`.
    """
    memory = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    images = {}
    for entry in message["images"]:
        shape = tuple(entry["shape"])
        flat = np.frombuffer(memory, entry["dtype"], math.prod(shape), entry["offset"])
        images[entry["phase"]] = Image(flat.reshape(shape), np.array(entry["affine"]))
    return Request(images, message["params"])


def result_message(result: Result) -> tuple[dict[str, Any], int | None]:
    """Return a result as a message, and the memory file of its mask."""
    mask = result.mask
    landmarks = result.landmarks
    message = {
        "mask": None if mask is None else _described(mask),
        "landmarks": None if landmarks is None else [asdict(mark) for mark in landmarks],
        "measures": result.measures,
        "report": result.report,
        "findings": [vars(finding) for finding in result.findings],
        "warnings": result.warnings,
        "picture": base64.b64encode(result.picture).decode(),
        "signals": None if result.signals is None else described_signals(result.signals),
    }
    return message, None if mask is None else memory_file([mask.array])[0]


def read_result(message: Mapping[str, Any], descriptor: int | None, request: Request) -> Result:
    """Return the result of a message after checking all of it.

    Raises
    ------
    Exception
        Whatever is wrong: the other side may have sent anything.
    """
    mask = None
    if message["mask"] is not None:
        entry = message["mask"]
        dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
        grids = [(image.array.shape, image.affine_ras) for image in request.images.values()]
        affine = next((a for s, a in grids if s == shape and np.allclose(a, entry["affine"])), None)
        if descriptor is None or affine is None or dtype not in (np.uint8, np.uint16):
            raise ValueError("the mask is not on the grid of an image")
        mask = LabelMap(read_array(descriptor, dtype, shape), affine)
    landmarks = message["landmarks"]
    return Result(
        mask=mask,
        landmarks=None if landmarks is None else tuple(_landmark(entry) for entry in landmarks),
        measures=None if message["measures"] is None else _measures(message["measures"]),
        report=str(message["report"]),
        findings=tuple(_finding(entry) for entry in message["findings"]),
        warnings=tuple(str(text) for text in message["warnings"]),
        picture=base64.b64decode(message["picture"], validate=True),
        signals=None if message["signals"] is None else read_signals(message["signals"]),
    )


def _described(volume: Image | LabelMap) -> dict[str, Any]:
    array = volume.array
    return {
        "dtype": array.dtype.name,
        "shape": array.shape,
        "affine": volume.affine_ras.tolist(),
    }


def _landmark(entry: Mapping[str, Any]) -> Landmark:
    flags = tuple(map(str, entry["flags"]))
    return Landmark(int(entry["label"]), _point(entry["position_ras"]), entry["confidence"], flags)


def _finding(entry: Mapping[str, Any]) -> Finding:
    return Finding(
        label=int(entry["label"]),
        anchor_ras=_point(entry["anchor_ras"]),
        confidence=float(entry["confidence"]),
        opinions={
            str(stage): {str(name): float(p) for name, p in opinion.items()}
            for stage, opinion in entry["opinions"].items()
        },
        measures=_measures(entry["measures"]),
        flags=tuple(map(str, entry["flags"])),
    )


def _point(values: Sequence[float]) -> tuple[float, float, float]:
    x, y, z = map(float, values)
    return x, y, z


def _measures(entry: Mapping[str, Any]) -> dict[str, Measure]:
    for name, value in entry.items():
        if not isinstance(value, str | int | float | None):
            raise ValueError(f"the measure {name} is no number and no text")
    return dict(entry)
