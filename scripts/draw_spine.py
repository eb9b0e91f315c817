"""Draw the pictures of docs/centroids.md: the spine perspective at work, in the real window.

Usage: ``draw_spine.py OUT WORK [CT LABELMAP]``, with a folder for pictures, one for files that are
thrown away, and a CT with a TotalSegmentator label map; without it a synthetic body is taken.
Called by ``scripts/docs-screenshots``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
from camera import Camera, open_case
from PyQt5.QtCore import QEventLoop, QPoint, QRect, Qt, QTimer
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QDialog, QLabel, QWidget

from inference.phantom.spine.scene import attenuation, make_spine_scene
from labeler.core.geometry import FloatArray, Grid, canonical_axes
from labeler.core.vertebra_masks import body_centres
from labeler.core.vertebrae import NUMBERS, TOTALSEGMENTATOR_NUMBERS
from labeler.workflows.accept_landmarks import FAMILY
from labeler.workflows.correct_landmarks import replace_centroids
from labeler.workflows.open_folder import Roots
from labeler.workflows.spine_findings import centroids_of

CASE = "SP-0419"
SIZE_PX = (1366, 768)

#: Height of what is cut out below the tool bar.
PART_PX = 480

#: More than there is: all of a widget.
WHOLE_PX = 2000

#: What the model is made to say of some levels.
DOUBTED = {
    "T4": (0.41, "numbering with L2 for L3 fits nearly as well"),
    "T5": (0.44, "numbering with L2 for L3 fits nearly as well"),
}


class SpinePictures(Camera):
    """The window with a spine."""

    def key(self, *keys: int) -> None:
        """Press keys in the picture along the spine."""
        QApplication.setActiveWindow(self._window)
        self.program.spine.strip.panes[0].setFocus()
        for key in keys:
            QTest.keyClick(QApplication.focusWidget(), key)
        self.settle()

    def key_of(self, level: str) -> str:
        """Key of the centroid of a level."""
        found = centroids_of(self.ws.session)
        return next(key for key, centroid in found.items() if centroid.level == level)

    def select(self, level: str) -> None:
        """Select a vertebra."""
        self.ws.spine.select(self.key_of(level))
        self.settle()

    def run_model(self) -> None:
        """Let the shipped model look at the open case, where no answer waits."""
        models = self.program.models
        if self.ws.session.proposals.current is not None:
            return
        self.program.model_panel.choice.choose(FAMILY)
        models.run(FAMILY, {})
        loop, looks = QEventLoop(), QTimer()
        looks.timeout.connect(lambda: loop.quit() if not models.running else None)
        looks.start(50)
        loop.exec_()
        self.settle()
        if self.ws.session.proposals.current is None:
            raise RuntimeError(models.lines[-1].text)

    def take_model_picture(self, name: str) -> None:
        """Open the picture that the model drew, as Alt+P does, and draw it."""
        self.program.commands.action("proposal.picture").trigger()
        dialog = self._window.findChild(QDialog, "proposalPicture")
        self.save_widget(name, dialog.findChild(QLabel, "proposalPicture.image"))
        dialog.close()

    def take(self, name: str, *widgets: str, height_px: int = PART_PX) -> None:
        """Draw some widgets, down to a height."""
        part = QRect()
        for widget in widgets:
            found = self._window.findChild(QWidget, widget)
            part = part.united(QRect(found.mapTo(self._window, QPoint()), found.size()))
        part.setHeight(min(part.height(), height_px))
        self.save(name, part)


def draw(p: SpinePictures) -> None:
    """The perspective with what a model hesitated about, a gap, and a name being typed."""
    p.settle()
    found = centroids_of(p.ws.session)
    proposed = {
        key: replace(
            centroid,
            confidence=DOUBTED.get(centroid.level, (0.9 + 0.01 * (int(key) % 8), ""))[0],
            flags=tuple(text for _, text in [DOUBTED.get(centroid.level, (0, ""))] if text),
        )
        for key, centroid in found.items()
    }
    replace_centroids(p.ws, "Take centroids", proposed)
    p.ws.views.set_options(crosshair_visible=False)
    p.select("T5")
    p.take("spine-strip", "spineStrip")
    p.take("spine-levels", "levelsDock", height_px=338)
    p.take("spine-checks", "spacingDock", "checksDock", height_px=420)
    p.select("T8")
    p.key(Qt.Key_T, Qt.Key_1)
    p.take("spine-typing", "spineStrip", height_px=300)
    p.key(Qt.Key_Escape)


def draw_signals(p: SpinePictures) -> None:
    """What the shipped model saw in the open case: its signals beside the spine, its picture."""
    p.settle()
    p.run_model()
    p.ws.views.set_options(crosshair_visible=False)
    if not p.program.spine.strip.shows_signals:
        p.key(Qt.Key_G)
    p.select("T8")
    p.take("spine-signals", "spineStrip", height_px=WHOLE_PX)
    p.take_model_picture("spine-model")


def write_case(root: Path, values: np.ndarray, affine: FloatArray, places: dict[str, FloatArray]):
    """Write an image ``[i, j, k]`` and its centroid file."""
    image = nib.Nifti1Image(values, affine)
    path = root / "images" / CASE / "PV.nii.gz"
    path.parent.mkdir(parents=True)
    nib.save(image, path)
    rows: list[dict[str, object]] = [{"direction": list(nib.aff2axcodes(affine))}]
    for level, ras in places.items():
        x, y, z = (np.linalg.inv(affine) @ (*ras, 1.0))[:3].tolist()
        rows.append({"label": NUMBERS[level], "X": x, "Y": y, "Z": z})
    folder = root / "masks" / CASE
    folder.mkdir(parents=True)
    (folder / f"{CASE}_ctd.json").write_text(json.dumps(rows), "utf-8")


def write_real(root: Path, ct: Path, label_map: Path) -> None:
    """Make the case of a CT with labelled vertebrae; levels that its edge cuts are left out."""
    image, labels = nib.load(ct), nib.load(label_map)
    order = canonical_axes(labels.affine, labels.shape)
    names = {number: level for level, number in TOTALSEGMENTATOR_NUMBERS.items()}
    array = np.ascontiguousarray(order.to_canonical(np.asarray(labels.dataobj).astype(np.uint8)))
    grid = Grid(array.shape, order.canonical_affine(labels.affine))
    centres = body_centres(array, grid, names)
    levels = sorted(centres, key=lambda number: -centres[number][2])[2:-1]
    values = np.clip(np.asarray(image.dataobj), -1024, 3071).astype(np.int16)
    places = {names[number]: np.array(centres[number]) for number in levels}
    write_case(root, values, image.affine, places)


def write_phantom(root: Path) -> None:
    """Make the case of a synthetic body."""
    scene = make_spine_scene(1000, 1.5)
    values = attenuation(scene.scene, np.random.default_rng(1)).astype(np.int16)
    places = dict(zip(scene.spine.names, scene.spine.centres_ras, strict=True))
    write_case(root, values.transpose(2, 1, 0), scene.scene.grid.affine_ras, places)


def main(out: str, work: str, *anatomy: str) -> None:
    """Draw all pictures."""
    root = Path(work)
    if anatomy:
        write_real(root, *(Path(name) for name in anatomy))
    else:
        write_phantom(root)
    _draw(root, Path(out), draw)
    seen = root / "seen-by-model"
    write_phantom(seen)
    _draw(seen, Path(out), draw_signals)


def _draw(root: Path, out: Path, act: Callable[[SpinePictures], None]) -> None:
    """Open the case of a folder, draw pictures of it, and close the window."""
    application, program = open_case(Roots(root / "images", root / "masks"), CASE, SIZE_PX, "spine")
    pictures = SpinePictures(program, out)
    pictures.application = application
    act(pictures)
    program.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
