"""From an image to named vertebrae, with networks that read the answer off the grey values."""

import functools

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from inference.contract import Card, Image, Request
from inference.vertebra.levels import INDEX, LEVELS, VERSE_NUMBER
from inference.vertebra.model import VertebraModel
from inference.vertebra.pipeline import NoSpine, Pipeline

NAMES = [name for name in LEVELS[9:24] if name != "T13"]  # T3 to L4
SPACING_MM = 3.0
SHAPE_KJI = (150, 70, 60)
BASE_HU, STEP_HU, MARK_HU = 200.0, 20.0, 2000.0


class Quiet:
    """A caller that lets everything go on."""

    def __init__(self):
        self.fractions = []

    def report(self, fraction, text):
        self.fractions.append(fraction)

    def check(self):
        pass


def centres():
    """Bent to the front and to the side, RAS mm, from the head down."""
    places, z = [], -20.0
    for n in range(len(NAMES)):
        z -= 24.0 + 0.8 * n
        places.append((-90.0 + 8.0 * np.sin(n / 3.0), -100.0 - 12.0 * np.cos(n / 4.0), z))
    return np.array(places)


@functools.cache
def image(flips=(1, 1, 1)):
    """Each level has its own grey value, each centre a bright spot.

    The axes of the file run to the left, to the back and up where `flips` has ones.
    """
    top = np.array([0.0, 0.0, -SPACING_MM * (SHAPE_KJI[0] - 1)])
    k, j, i = np.meshgrid(*map(np.arange, SHAPE_KJI), indexing="ij")
    points = np.stack([-i, -j, k], -1) * SPACING_MM + top
    hu = np.full(SHAPE_KJI, 0, np.float32)
    places = centres()
    line = np.stack([np.interp(-points[..., 2], -places[:, 2], places[:, a]) for a in (0, 1)], -1)
    near = np.linalg.norm(points[..., :2] - line, axis=-1) < 18.0
    near &= (points[..., 2] < places[0, 2] + 12.0) & (points[..., 2] > places[-1, 2] - 15.0)
    nearest = np.abs(points[..., 2, None] - places[:, 2]).argmin(-1)
    level = np.array([INDEX[name] for name in NAMES])[nearest]
    hu[near] = (BASE_HU + STEP_HU * level)[near]
    for place in places:
        hu[np.linalg.norm(points - place, axis=-1) < 4.0] = MARK_HU
    affine = np.diag([-SPACING_MM, -SPACING_MM, SPACING_MM, 1.0])
    affine[:3, 3] = top
    axes = tuple(axis for axis, sign in enumerate(flips[::-1]) if sign < 0)
    move = np.eye(4)
    for axis, (sign, n) in enumerate(zip(flips, SHAPE_KJI[::-1], strict=True)):
        if sign < 0:
            move[axis, axis], move[axis, 3] = -1.0, n - 1
    array = np.ascontiguousarray(np.flip(hu, axes)).astype(np.int16)
    return Image(array, affine @ move)


def read_levels(batch):
    """The level network: grey value to level; the bright spots are looked past."""
    hu = batch[:, 1] * 1000.0
    inside = hu > 150.0
    column = torch.where(inside, 8.0, -8.0)
    core = -F.max_pool3d(-inside.float(), (1, 3, 3), 1, (0, 1, 1)) > 0  # without mixed voxels
    darkest = -F.max_pool3d(torch.where(core, -hu, -9000.0), (1, 7, 7), 1, (0, 3, 3))
    place = (darkest - BASE_HU) / STEP_HU
    levels = torch.arange(len(LEVELS)).view(1, -1, 1, 1, 1)
    return torch.cat([column[:, None], -2.0 * (levels - place[:, None]) ** 2], dim=1)


def read_centres(batch):
    """The centre network: the bright spots."""
    return batch[:, 1:2] * 8.0 - 8.0


@pytest.fixture
def pipeline():
    return Pipeline(read_levels, read_centres)


@pytest.mark.parametrize("method", ["rectified", "candidates"])
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, -1)])
def test_vertebrae_are_named_and_placed(pipeline, method, flips):
    reading = pipeline.read(image(flips), Quiet(), method)
    assert [v.name for v in reading.chain.vertebrae] == NAMES
    errors = np.linalg.norm(reading.positions_ras - centres(), axis=1)
    assert errors.max() < 3.0


def test_a_network_that_is_never_sure_names_the_chain_and_says_how_unsure_it_is():
    def unsure(batch):
        logits = read_levels(batch)
        return torch.cat([logits[:, :1], 0.1 * logits[:, 1:]], dim=1)

    reading = Pipeline(unsure, read_centres).read(image(), Quiet())
    assert [v.name for v in reading.chain.vertebrae] == NAMES
    assert max(reading.confidences) < 0.35


def test_progress_never_runs_backwards(pipeline):
    caller = Quiet()
    pipeline.read(image(), caller)
    assert caller.fractions == sorted(caller.fractions)
    assert caller.fractions[-1] == 1.0


def test_no_spine_is_said(pipeline):
    empty = Image(np.zeros((60, 50, 50), np.int16), np.diag([-3.0, -3.0, 3.0, 1.0]))
    with pytest.raises(NoSpine, match="no vertebral column"):
        pipeline.read(empty, Quiet())


def card():
    return Card(id="vertebra", family="vertebra", title="Vertebrae", version="1", licence="CC BY",
                intended_use="Tests.", phases=("PV", "NC"), demonstration=True)  # fmt: skip


def test_the_model_returns_verse_numbers_and_a_picture(pipeline, tmp_path):
    model = VertebraModel(card(), pipeline)
    folder = tmp_path / "report"
    result = model.predict(Request({"NC": image()}, {"report": str(folder)}), Quiet())
    assert [landmark.label for landmark in result.landmarks] == [VERSE_NUMBER[n] for n in NAMES]
    assert result.measures["levels"] == "T3 to L4"
    assert result.measures["phase"] == "NC"
    assert "not for clinical use" in result.report
    picture = cv2.imread(str(folder / "spine.png"))
    assert picture.shape[0] > 400
    assert picture.std() > 10
    assert result.picture == (folder / "spine.png").read_bytes()


def test_a_picture_that_cannot_be_written_is_said(pipeline, tmp_path):
    (tmp_path / "file").write_text("in the way")
    request = Request({"NC": image()}, {"report": str(tmp_path / "file")})
    with pytest.raises(ValueError, match="cannot be written"):
        VertebraModel(card(), pipeline).predict(request, Quiet())


@pytest.mark.parametrize(
    ("phases", "params", "words"),
    [(["ART"], {}, "needs one of the phases"), (["PV"], {"method": "best"}, "method")],
)
def test_what_cannot_be_answered_is_refused(pipeline, phases, params, words):
    request = Request(dict.fromkeys(phases, image()), params)
    with pytest.raises(ValueError, match=words):
        VertebraModel(card(), pipeline).predict(request, Quiet())
