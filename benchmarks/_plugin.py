"""Models without a network, installed as a plug-in for the processes that a row starts.

They do what costs time around a network: take four phases, report, and give back a mask with many
regions and a finding for each.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from scipy import ndimage

from benchmarks import _scene
from inference.contract import Card, Context, Finding, LabelMap, Request, Result
from inference.phantom.labels import LABEL_NAMES, LESION_LABELS

#: How long a run works, at least.
WORK_S = 3.0

#: Labels that the window knows, in place of those of the scene.
_ORGANS = tuple(label for label, *_ in _scene.ORGANS)
_LESIONS = LESION_LABELS[: len(_scene.LESION_LABELS)]
_LABELS = {label: LABEL_NAMES[label] for label in (*_ORGANS, *_LESIONS)}


class _Factory:
    """Makes models of one behaviour."""

    def __init__(self, name: str) -> None:
        self._name = name

    def card(self) -> Card:
        return Card(
            id=self._name, family="external", title="Benchmark", version="1",
            licence="GPL-3.0-or-later", intended_use="Takes time.", labels=_LABELS,
        )  # fmt: skip

    def load(self, device: str) -> _Model:
        return _Model(self.card())


class _Model:
    """Behaves as its name says."""

    def __init__(self, card: Card) -> None:
        self.card = card

    def predict(self, request: Request, context: Context) -> Result:
        act = {"bench-mask": self._mask, "bench-patient": self._wait, "bench-deaf": self._hold}
        return act[self.card.id](request, context)

    def _mask(self, request: Request, context: Context) -> Result:
        """Work on the phases as a network would, then give the mask of the scene."""
        end = time.monotonic() + WORK_S
        while (left_s := end - time.monotonic()) > 0:
            for image in request.images.values():
                np.sqrt(image.array[:20].astype(np.float32) ** 2)
            context.report(1.0 - left_s / WORK_S, "Working")
        image = next(iter(request.images.values()))
        known = np.arange(256, dtype=np.uint8)
        known[list(_scene.LESION_LABELS)] = _LESIONS
        labels = known[_scene.second_labels()]
        return Result(
            LabelMap(labels, image.affine_ras), findings=_findings(labels, image.affine_ras)
        )

    def _wait(self, request: Request, context: Context) -> Result:
        """Look every 10 ms whether it is cancelled, as between patches."""
        context.report(0.5, "Waiting")
        while True:
            context.check()
            time.sleep(0.01)

    def _hold(self, request: Request, context: Context) -> Result:
        """Hear nothing, and hold the interpreter lock meanwhile."""
        context.report(0.5, "Waiting")
        re.match(r"(a+)+$", "a" * 100 + "b")
        return Result(measures={})


def _findings(labels: np.ndarray, affine_ras: np.ndarray) -> tuple[Finding, ...]:
    """One for each lesion, with two opinions."""
    found = []
    shares = {LABEL_NAMES[label]: 1 / len(_LESIONS) for label in _LESIONS}
    for label in _LESIONS:
        components, count = ndimage.label(labels == label, np.ones((3, 3, 3)))
        firsts = [
            np.argwhere(components[box] == n)[0] + [s.start for s in box]
            for n, box in enumerate(ndimage.find_objects(components, count), 1)
        ]
        for k, j, i in firsts:
            x, y, z = (affine_ras @ (i, j, k, 1.0))[:3].tolist()
            opinions = {"stage 1": shares, "stage 2": shares}
            found.append(Finding(label, (x, y, z), 0.5, opinions, {"pattern": "none"}, ("doubt",)))
    return tuple(found)


MASK, PATIENT, DEAF = (_Factory(name) for name in ("bench-mask", "bench-patient", "bench-deaf"))


@contextmanager
def installed() -> Iterator[None]:
    """Let processes that are started within find the models."""
    before = os.environ.get("PYTHONPATH")
    with tempfile.TemporaryDirectory(prefix="ct-labeler-bench-") as folder:
        metadata = Path(folder) / "benchmark_models-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: benchmark-models\nVersion: 1.0\n", encoding="ascii"
        )
        points = "".join(
            f"bench-{name} = benchmarks._plugin:{name.upper()}\n"
            for name in ("mask", "patient", "deaf")
        )
        (metadata / "entry_points.txt").write_text(
            f"[inference.models]\n{points}", encoding="ascii"
        )
        root = str(Path(__file__).resolve().parents[1])
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, root, before)))
        try:
            yield
        finally:
            if before is None:
                del os.environ["PYTHONPATH"]
            else:
                os.environ["PYTHONPATH"] = before
