"""The healthy patient: everything painted, in the order that lets later parts respect earlier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.phantom import bowel, organs
from inference.phantom.chest import paint_chest
from inference.phantom.donors import Donor
from inference.phantom.great_vessels import (
    GreatVessels,
    make_great_vessels,
    paint_branches,
    paint_great_vessels,
)
from inference.phantom.grids import Grid
from inference.phantom.limbs import paint_arms, paint_hips
from inference.phantom.liver import Liver, make_liver
from inference.phantom.liver_vessels import LiverVessels, make_liver_vessels, paint_liver_vessels
from inference.phantom.muscles import paint_deep_muscles, paint_septa
from inference.phantom.rendering import breathing_weight
from inference.phantom.scene import Scene
from inference.phantom.skeleton import Spine, Vertebra, paint_ribs, paint_spine
from inference.phantom.torso import Body, Trunk, cavity_depth_mm, make_trunk, paint_trunk
from inference.phantom.transplant import Transplant
from inference.phantom.variety import PLAIN, Variety


@dataclass(frozen=True)
class Anatomy:
    """A painted patient without lesions.

    Parameters
    ----------
    scene : Scene
    body : Body
    vertebrae : list of Vertebra
        From T6 to L5, in the scene or not.
    vertebra_numbers : ndarray of uint8, shape of the scene
        VerSe number of each voxel of bone.
    vessels : GreatVessels
    liver : Liver
    trees : LiverVessels
    weight : ndarray of uint8, shape of the scene
        How much of the breathing each place follows, 255 is all of it.
    """

    scene: Scene
    body: Body
    vertebrae: list[Vertebra]
    vertebra_numbers: NDArray[np.uint8]
    vessels: GreatVessels
    liver: Liver
    trees: LiverVessels
    weight: NDArray[np.uint8]


def _weight(grid: Grid, body: Body, spine: Spine) -> NDArray[np.uint8]:
    """Return how much of the breathing each place follows."""
    coarse = grid.coarse(8.0)
    z, y, x = np.meshgrid(*coarse.axes(), indexing="ij")
    points = np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float64)
    depth = cavity_depth_mm(body, points).reshape(coarse.shape_kji)
    column = np.array([spine.point(float(v)) for v in coarse.axes()[0]])
    # the column and what lies behind it stay where they are
    aside = np.hypot(x - column[:, 0, None, None], np.maximum(y - column[:, 1, None, None], 0.0))
    return breathing_weight(grid, depth.astype(np.float32), (aside - 18.0).astype(np.float32))


def _paint_organs(
    scene: Scene,
    body: Body,
    spine: Spine,
    trunk: Trunk,
    vessels: GreatVessels,
    rng: np.random.Generator,
    variety: Variety,
    donor: Donor | None,
) -> tuple[dict[str, NDArray[np.float64]], Liver]:
    """Paint the solid organs and the stomach; return the hila of the kidneys, and the liver."""
    if donor is not None:
        hila, liver = Transplant(
            donor, scene.grid, body, spine, trunk, vessels, variety, rng
        ).paint(scene)
        # the stomach yields to the shapes of the donor
        organs.paint_stomach(scene, body, trunk, rng)
        return hila, liver
    hila, bed = organs.paint_kidneys(scene, body, spine, trunk, rng)
    organs.paint_stomach(scene, body, trunk, rng)
    organs.paint_gallbladder(scene, body, trunk, rng)
    organs.paint_spleen(scene, body, trunk, rng, variety.spleen)
    liver = make_liver(scene, body, spine, trunk, vessels, bed, rng, variety)
    organs.paint_pancreas(scene, body, vessels, trunk, rng)
    return hila, liver


def _paint_bowel(
    scene: Scene, body: Body, trunk: Trunk, variety: Variety, rng: np.random.Generator
) -> None:
    """Paint duodenum, colon and small bowel, down to the pelvis where there is one."""
    bowel.paint_duodenum(scene, body, trunk, rng)
    bowel.paint_colon(
        scene,
        body,
        trunk,
        rng,
        flexure_up_mm=variety.flexure_up_mm,
        stool=variety.stool,
        told_apart=variety != PLAIN,
    )
    if variety.hips:
        bowel.paint_pelvic_bowel(scene, body, trunk, rng)
    bowel.paint_small_bowel(scene, body, trunk, rng)


def make_anatomy(
    grid: Grid,
    rng: np.random.Generator,
    step: Callable[[float, str], None],
    variety: Variety = PLAIN,
    donor: Donor | None = None,
) -> Anatomy:
    """Draw and paint a patient.

    Parameters
    ----------
    grid : Grid
        Voxels of the scene.
    rng : Generator
    step : callable
        Called with the fraction done (0 to 1) and what comes next.
    variety : Variety
        How the patient differs from the plain phantom.
    donor : Donor, optional
        Gives its organs in place of the phantom's own.
    """
    body = Body.sample(rng).built(variety.wider, variety.deeper, variety.more_fat_mm)
    spine = Spine.sample(rng, body)
    scene = Scene(grid)
    step(0.0, "Body wall")
    trunk = make_trunk(body, grid, rng)
    paint_trunk(scene, body, trunk, variety.table)
    paint_arms(scene, body, variety.arms, rng)
    paint_septa(scene, body, spine, trunk, rng)
    step(0.3, "Bones")
    paint_ribs(scene, spine, body)
    vertebrae, numbers = paint_spine(scene, spine, body)
    paint_deep_muscles(scene, spine, rng.uniform(0.85, 1.1))
    if variety.hips:
        paint_hips(scene, body, spine, trunk, rng)
    step(0.45, "Organs")
    vessels = make_great_vessels(grid, body, spine, rng)
    paint_chest(scene, body, spine, trunk, vessels, rng)
    paint_great_vessels(scene, vessels)
    hila, liver = _paint_organs(scene, body, spine, trunk, vessels, rng, variety, donor)
    organs.paint_adrenals(scene, body, spine)
    step(0.75, "Bowel")
    _paint_bowel(scene, body, trunk, variety, rng)
    step(0.9, "Vessels")
    bowel.paint_mesentery(scene, body, vessels, trunk, rng)
    paint_branches(scene, body, vessels, hila)
    trees = make_liver_vessels(grid, liver, vessels, rng)
    paint_liver_vessels(scene, liver, trees)
    weight = _weight(grid, body, spine)
    return Anatomy(scene, body, vertebrae, numbers, vessels, liver, trees, weight)
