"""Real spines: the search on signals an imperfect network would give, and centres of masks.

Key points: VID data set, ImFusion GmbH, CC BY-SA 4.0 (validation part, bodies only).
"""

import json
import tarfile

import nibabel as nib
import numpy as np
import pytest

from inference.vertebra.levels import INDEX
from inference.vertebra.optimization import find_chain
from inference.vertebra.simulation import Faults, simulated_signals
from labeler.core.landmark_checks import check
from labeler.core.vertebra_masks import body_centres
from labeler.core.vertebrae import NUMBERS
from labeler.storage.landmarks import StoredGrid, read_centroids
from labeler.storage.masks import read_mask

pytestmark = pytest.mark.real

IDENTIFIED_MM = 20.0


def spines(archive):
    """Yield centres in mm along the spine by level name, one mapping a spine."""
    with tarfile.open(archive) as files:
        for member in sorted(files.getnames()):
            if not member.endswith(".json"):
                continue
            points = json.load(files.extractfile(member))
            bodies = {
                p["type"]["spine_level"]: np.array(p["coordinates"]["world_space"])
                for p in points
                if p["type"].get("keypoint_type") == "body" and p["type"]["spine_level"] in INDEX
            }
            names = sorted(bodies, key=INDEX.__getitem__)
            steps = np.diff([bodies[name] for name in names], axis=0)
            places = np.concatenate([[0.0], np.cumsum(np.linalg.norm(steps, axis=1))])
            yield dict(zip(names, places.tolist(), strict=True))


def identified(true, found):
    """Names that are found nearest to their own centre and within reach (the VerSe measure)."""
    return [
        name
        for name, place in true.items()
        if name in found
        and abs(found[name] - place) < IDENTIFIED_MM
        and min(true, key=lambda other: abs(true[other] - found[name])) == name
    ]


def test_search_names_real_spines_in_spite_of_a_confused_network(real_data):
    vertebrae = right = whole = plain = 0
    cases = list(spines(real_data / "vertebra" / "vid_keypoints_validation.tar.xz"))
    assert len(cases) == 169
    for number, places in enumerate(cases):
        rng = np.random.default_rng(number)
        gaps = np.diff(list(places.values()))
        # the field of view ends anywhere between the last centre and the one that is not seen
        lead, tail = rng.uniform(0.05, 0.95, 2) * gaps[[0, -1]]
        true = {name: lead + place for name, place in places.items()}
        length = lead + gaps.sum() + tail
        signals = simulated_signals(true, length, rng, Faults(confusion=0.6))
        chain = find_chain(signals, extent_mm=(0.0, length))
        good = identified(true, {v.name: v.position_mm for v in chain.vertebrae})
        highest = {name: float(signals[INDEX[name]].argmax()) for name in true}
        vertebrae += len(true)
        right += len(good)
        plain += len(identified(true, highest))
        whole += len(good) == len(true) == len(chain.vertebrae)
    figures = f"identified {right}, by the maximum {plain}, of {vertebrae}; whole {whole}"
    assert right / vertebrae >= 0.98, figures
    assert whole / len(cases) >= 0.92, figures
    assert right - plain >= 0.03 * vertebrae, figures


def test_centres_of_a_real_mask_agree_with_the_published_centroids(real_data):
    # VerSe 004, CC BY-SA 4.0
    folder = real_data / "vertebra"
    image = nib.load(folder / "sub-verse004_seg-vert_msk.nii.gz")
    stored = StoredGrid(image.shape, image.affine)
    published = read_centroids(folder / "sub-verse004_seg-subreg_ctd.json", stored)
    assert published.direction == ("P", "I", "R")
    mask = read_mask(folder / "sub-verse004_seg-vert_msk.nii.gz").mask
    found = body_centres(mask.array, mask.grid)
    errors = {
        c.level: float(np.linalg.norm(np.subtract(found[NUMBERS[c.level]], c.position_ras)))
        for c in published.centroids.values()
    }
    assert len(errors) == 9
    # its L1 is compressed
    assert max(error for level, error in errors.items() if level != "L1") < 3.0, errors
    assert errors["L1"] < 8.0
    assert not {d.kind for d in check(published.centroids)} & {"order", "missing", "duplicate"}
