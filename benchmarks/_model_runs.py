"""A model run in the real window: ``python -m benchmarks._model_runs ACT ROOT``.

See :func:`benchmarks.worker.model_stall` for what is reported.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks._drive import Driver, Heart
from labeler.workflows.review_proposal import accept_regions, reject_regions

MODEL = "bench-mask"


def model_runs(driver: Driver) -> dict[str, float]:
    """Run a model twice, take what it proposes apart, accept, reject; how late a timer gets."""
    program = driver.program
    program.models.refresh()
    driver.wait(lambda: program.models.entry(MODEL) is not None)
    driver.open(0)
    driver.wait_until_idle()
    ws, heart, longest = program.ws, Heart(), {}

    def measure(name: str) -> None:
        driver.wait_until_idle()
        longest[name] = heart.stop()

    for name in ("first run", "next run"):
        heart.start()
        program.models.run(MODEL, {})
        driver.wait(lambda: program.models.running is None)
        measure(name)
    proposals = ws.session.proposals
    assert proposals.current is not None
    assert len(proposals.current.opinions) > 40
    ws.selection.set_mask(next(iter(ws.session.masks)))
    *most, last = proposals.open_numbers()
    heart.start()
    accept_regions(ws, most, _refused)
    measure("accept all")
    heart.start()
    reject_regions(ws, [last])
    measure("reject")
    return longest


def _refused(sentence: str) -> None:
    raise RuntimeError(sentence)


def main(root: str) -> None:
    driver = Driver(Path(root))
    sys.stdout.write(json.dumps(model_runs(driver)) + "\n")
    driver.program.close()


if __name__ == "__main__":
    main(sys.argv[2])
