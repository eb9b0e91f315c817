"""From materials to HU: mixtures, breathing, phase grids, the traces of a scanner."""

import numpy as np
import pytest

from inference.contract import PHASES
from inference.phantom.fields import ellipsoid
from inference.phantom.grids import Grid
from inference.phantom.materials import (
    FIRST_LESION_CODE,
    GRAINS_MM,
    TISSUES,
    Material,
    Palette,
)
from inference.phantom.protocol import padded, plan_acquisitions, reference_grid
from inference.phantom.rendering import (
    Acquisition,
    attenuation,
    make_textures,
    resample,
    scan,
)
from inference.phantom.scene import Scene
from inference.phantom.variety import BREATHING_MM

GRID = Grid((24, 32, 32), (2.0, 2.0, 2.5), (31.0, 31.0, -28.75))
NOTHING = (0.0, 0.0, 0.0)


def still(grid=GRID, phase="PV", breathing=NOTHING, **changes):
    settings = {"blur_mm": 0.0, "noise_hu": 0.0, "hardening": False} | changes
    return Acquisition(phase, grid, breathing, **settings)


def ramp():
    """HU that are a linear function of the place, so that interpolation is exact."""
    z, y, x = np.ix_(*GRID.axes())
    return (2.0 * x - 3.0 * y + 5.0 * z).astype(np.float32)


def test_voxels_of_one_material_have_its_hu_and_borders_the_mixture():
    palette = Palette(np.random.default_rng(0), 60.0)
    palette.grain[:] = 0.0
    scene = Scene(GRID, Material.FAT)
    scene.paint(ellipsoid(GRID, NOTHING, (12.0, 12.0, 12.0)), Material.SPLEEN)
    textures = make_textures(np.random.default_rng(0), GRID)
    for n, phase in enumerate(PHASES):
        hu = attenuation(scene, palette, textures, phase)
        fat, spleen = palette.hu[Material.FAT, n], palette.hu[Material.SPLEEN, n]
        assert hu[12, 16, 16] == pytest.approx(spleen, abs=1e-3)
        assert hu[0, 0, 0] == pytest.approx(fat, abs=1e-3)
        border = scene.front != scene.back
        assert border.any()
        assert (hu[border] > fat).all()
        assert (hu[border] < spleen).all()


def test_textures_are_of_the_tissue_not_of_the_scan():
    palette = Palette(np.random.default_rng(0), 60.0)
    palette.hu[:] = 0.0
    palette.grain[:] = 0.0
    palette.grain[Material.LIVER] = (6.0, 0.0, 0.0)
    textures = make_textures(np.random.default_rng(1), GRID)
    assert len(textures) == len(GRAINS_MM)
    first, second = (
        attenuation(Scene(GRID, Material.LIVER), palette, textures, p) for p in ("NC", "DL")
    )
    assert np.array_equal(first, second)
    assert first.std() == pytest.approx(6.0, rel=0.25)


def test_same_grid_and_no_breath_changes_nothing():
    source = ramp()
    out = resample(source, GRID, np.full(GRID.shape_kji, 255, np.uint8), still())
    inner = (slice(1, -1),) * 3
    assert np.allclose(out[inner], source[inner], atol=1e-3)


def test_breath_moves_what_follows_it():
    moved = still(breathing=(0.0, 1.0, 6.0))
    source, inner = ramp(), (slice(5, -5),) * 3
    follows = resample(source, GRID, np.full(GRID.shape_kji, 255, np.uint8), moved)
    stays = resample(source, GRID, np.zeros(GRID.shape_kji, np.uint8), moved)
    # an organ now at z was at z - 6 and y - 1 before
    assert np.allclose((follows - source)[inner], 3.0 * 1.0 - 5.0 * 6.0, atol=1e-2)
    assert np.allclose((stays - source)[inner], 0.0, atol=1e-3)


@pytest.mark.parametrize("thick", [2.5, 5.0, 7.5])
def test_other_grids_show_the_same_places(thick):
    grid = Grid((6, 20, 18), (2.6, 2.6, thick), (22.3, 24.7, -18.0))
    out = resample(ramp(), GRID, np.zeros(GRID.shape_kji, np.uint8), still(grid))
    z, y, x = np.ix_(*grid.axes())
    assert np.allclose(out, 2.0 * x - 3.0 * y + 5.0 * z, atol=1e-2)


def test_thick_slices_average():
    source = np.zeros(GRID.shape_kji, np.float32)
    source[12] = 100.0
    place = float(GRID.axes()[0][12])
    thin = Grid((1, 32, 32), (2.0, 2.0, 2.5), (31.0, 31.0, place))
    thick = Grid((1, 32, 32), (2.0, 2.0, 10.0), (31.0, 31.0, place))
    weight = np.zeros(GRID.shape_kji, np.uint8)
    assert resample(source, GRID, weight, still(thin)).max() > 95.0
    assert resample(source, GRID, weight, still(thick)).max() < 60.0


def test_scan_adds_noise_of_the_amount_asked_for():
    source = np.full(GRID.shape_kji, 50.0, np.float32)
    weight = np.zeros(GRID.shape_kji, np.uint8)
    image = scan(source, GRID, weight, still(noise_hu=10.0), np.random.default_rng(0))
    middle = image.array[:, 12:20, 12:20].astype(float)
    assert 7.0 < middle.std() < 15.0
    assert abs(middle.mean() - 50.0) < 2.0


def test_bone_darkens_what_lies_between():
    source = np.full(GRID.shape_kji, 50.0, np.float32)
    source[:, 12:20, 2:8] = source[:, 12:20, 24:30] = 1000.0
    weight = np.zeros(GRID.shape_kji, np.uint8)
    image = scan(source, GRID, weight, still(hardening=True), np.random.default_rng(0))
    between = image.array[12, 16, 12:20].mean()
    elsewhere = image.array[12, 2, 12:20].mean()
    assert elsewhere - 10.0 < between < elsewhere - 2.0


def test_protocol_has_one_grid_for_masks_and_others_nearby():
    grid = reference_grid(2.0)
    for seed in range(10):
        plans = {a.phase: a for a in plan_acquisitions(grid, np.random.default_rng(seed))}
        assert tuple(plans) == PHASES
        assert plans["PV"].grid == grid
        assert plans["PV"].breathing_ras == NOTHING
        for plan in plans.values():
            assert max(np.abs(plan.breathing_ras)) <= BREATHING_MM
            corners = np.array([(0, 0, 0), np.subtract(plan.grid.shape_kji, 1)])
            inside = grid.to_kji(plan.grid.to_ras(corners))
            # the field of view lies within that of the masks
            assert (inside > -1.0).all()
            assert (inside < grid.shape_kji).all()
        assert len({a.grid for a in plans.values()}) == len(PHASES)


def test_scene_reaches_beyond_the_masks_by_more_than_a_breath():
    grid = reference_grid(3.0)
    scene, box = padded(grid)
    assert scene.crop(box).origin_ras == pytest.approx(grid.origin_ras)
    assert scene.crop(box).shape_kji == grid.shape_kji
    assert box[0].start * grid.spacing_mm[2] > BREATHING_MM


def test_patients_differ_but_keep_one_blood():
    first, second = (Palette(np.random.default_rng(s), 60.0) for s in (1, 2))
    assert not np.array_equal(first.hu, second.hu)
    for palette in (first, second):
        deviation = [
            (palette.hu[m] - TISSUES[m].hu) / np.asarray(TISSUES[m].sd)
            for m in (Material.AORTA, Material.LIVER_ARTERY)
        ]
        assert deviation[0] == pytest.approx(deviation[1], abs=1e-3)


def test_bone_thins_with_age():
    young, old = (Palette(np.random.default_rng(3), age) for age in (30.0, 80.0))
    loss = young.hu[Material.TRABECULAR_BONE] - old.hu[Material.TRABECULAR_BONE]
    assert loss == pytest.approx(2.5 * 50.0, abs=0.01)


def test_spleen_is_mottled_in_the_arterial_phase_only():
    grain = Palette(np.random.default_rng(0), 60.0).grain[Material.SPLEEN, :, 1]
    assert grain[PHASES.index("ART")] > 4 * grain[PHASES.index("PV")]


def test_codes_of_lesions_run_out_with_a_message():
    palette = Palette(np.random.default_rng(0), 60.0)
    codes = [palette.add("part", np.zeros(4), (0.0, 0.0, 0.0), 11) for _ in range(156)]
    assert codes == list(range(FIRST_LESION_CODE, 256))
    with pytest.raises(ValueError, match="156"):
        palette.add("part", np.zeros(4), (0.0, 0.0, 0.0), 11)
