"""A plug-in whose models do what models should not: installed for a test, child processes included.

An installed distribution is a folder on the path with metadata; ``install`` makes one.
"""

import os
from pathlib import Path

SOURCE = """
import os, re, signal, sys, time
import numpy as np
from inference.contract import Card, LabelMap, Result

CARD = {card}

class Model:
    def __init__(self, name):
        self.card = Factory(name).card()
        self.runs = 0
        self.behaviour = getattr(self, name)

    def predict(self, request, context):
        self.runs += 1
        self.image = next(iter(request.images.values()))
        return self.behaviour(request, context) or self.mask(self.image.array > 0)

    def mask(self, inside):
        found = LabelMap(np.ascontiguousarray(inside, dtype=np.uint8), self.image.affine_ras)
        return Result(mask=found, measures=dict(pid=os.getpid(), runs=self.runs))

    def threshold(self, request, context):
        for step in range(5):
            context.report(step / 5, f"step {{step}}")
        context.report(0.1, "step back")

    def chatty(self, request, context):
        print("to standard output")
        os.write(1, b"not JSON\\n" * 1000)

    def doubting(self, request, context):
        raise ValueError("this is no liver")

    def raising(self, request, context):
        raise KeyError("bug")

    def killed(self, request, context):
        os.kill(os.getpid(), signal.SIGKILL)

    def fragile(self, request, context):
        if (self.image.array == -7).all():
            os.kill(os.getpid(), signal.SIGKILL)

    def stuck(self, request, context):
        if (self.image.array == -7).all():
            self.patient(request, context)

    def crashing(self, request, context):
        os.kill(os.getpid(), signal.SIGSEGV)

    def leaving(self, request, context):
        os._exit(3)

    def hungry(self, request, context):
        kept = []
        while True:
            kept.append(np.empty(1 << 27, np.uint8))

    def hanging(self, request, context):
        context.report(0.5, "hanging")
        while True:
            signal.pause()

    def holding(self, request, context):
        context.report(0.5, "holding the interpreter lock")
        re.match(r"(a+)+$", "a" * 100 + "b")

    def patient(self, request, context):
        context.report(0.5, "until cancelled")
        while True:
            context.check()
            time.sleep(0.01)

    def misshapen(self, request, context):
        found = LabelMap(np.ones((1, 2, 3), np.uint8), self.image.affine_ras)
        return Result(mask=found)

    def mislabelled(self, request, context):
        return self.mask(np.full(self.image.array.shape, 9))

    def garbling(self, request, context):
        for descriptor in range(3, 64):
            try:
                os.write(descriptor, b"no message\\n")
            except OSError:
                pass

class Factory:
    def __init__(self, name):
        self.name = name

    def card(self):
        return Card(**CARD, id=self.name)

    def load(self, device):
        return Model(self.name)

class Broken:
    def card(self):
        raise RuntimeError("broken on purpose")
"""

NAMES = (
    "threshold", "chatty", "doubting", "raising", "killed", "crashing", "leaving", "hungry",
    "hanging", "holding", "patient", "misshapen", "mislabelled", "garbling", "fragile",
    "stuck",
)  # fmt: skip

CARD = {
    "family": "external",
    "title": "Threshold",
    "version": "1",
    "licence": "none",
    "intended_use": "Tests.",
    "labels": {1: "inside"},
    "weights": "00ff",
}


def install(folder: Path, monkeypatch) -> None:
    """Install the plug-in into ``folder``, for this process and those it starts."""
    source = SOURCE.format(card=repr(CARD))
    source += "".join(f"{name} = Factory({name!r})\n" for name in NAMES) + "broken = Broken()\n"
    (folder / "misbehaving.py").write_text(source, encoding="utf-8")
    metadata = folder / "misbehaving-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: misbehaving\nVersion: 1.0\n")
    points = "".join(f"{name} = misbehaving:{name}\n" for name in (*NAMES, "broken", "absent"))
    (metadata / "entry_points.txt").write_text(f"[inference.models]\n{points}")
    monkeypatch.syspath_prepend(str(folder))
    inherited = os.environ.get("PYTHONPATH")
    paths = [str(folder), *([inherited] if inherited else [])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
