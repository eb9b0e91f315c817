"""Four-phase cases from a scan and its label map, tried on a scan made from the phantom."""

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from nibabel import orientations
from scipy import ndimage

from inference.contract import PHASES
from inference.phantom import labels
from inference.phantom.fields import ellipsoid, tube
from inference.phantom.grids import Grid
from inference.phantom.materials import Material, Palette
from inference.phantom.patient import make_patient
from inference.phantom.real_patient import make_real_patient
from inference.phantom.real_scan import TOTAL_SEGMENTATOR, AnatomyError, RealScan, read_scan
from inference.phantom.recolour import Recolouring
from inference.phantom.writing import write_examples

NUMBER = {name: number for number, name in TOTAL_SEGMENTATOR.items()}


@pytest.fixture(scope="module")
def phantom():
    """A patient in the portal venous phase, and its organs with TotalSegmentator's numbers."""
    patient = make_patient(5, spacing_mm=3.0, scenario="none")
    structures = np.zeros(patient.reference.array.shape, dtype=np.uint8)
    for name, label in labels.LABEL_OF_STRUCTURE.items():
        structures[patient.reference.array == label] = NUMBER[name]
    bones = (Material.CORTICAL_BONE, Material.RIB_MARROW, Material.CARTILAGE)
    structures[np.isin(patient.truth.materials, bones)] = NUMBER["rib_left_9"]
    structures[patient.truth.vertebra_numbers > 0] = NUMBER["vertebrae_L1"]
    return patient.phases["PV"], structures


def save(path, array, affine, codes="LPS", dtype=None):
    image = nib.Nifti1Image(array.transpose(2, 1, 0), affine)
    turn = orientations.ornt_transform(
        orientations.io_orientation(affine), orientations.axcodes2ornt(tuple(codes))
    )
    image = image.as_reoriented(turn)
    if dtype is not None:
        image = nib.Nifti1Image(np.asanyarray(image.dataobj).astype(dtype), image.affine)
    nib.save(image, path)
    return path


def files(folder, phantom, codes="LPS", dtype=None, affine=None):
    image, structures = phantom
    place = image.affine_ras if affine is None else affine
    ct = save(folder / "ct.nii.gz", image.array, place, codes, dtype)
    return ct, save(folder / "labels.nii.gz", structures, place, codes)


@pytest.fixture(scope="module")
def source(phantom, tmp_path_factory):
    return read_scan(*files(tmp_path_factory.mktemp("scan"), phantom))


@pytest.fixture(scope="module")
def patient(source):
    return make_real_patient(source, 3, scenario="mixed")


@pytest.mark.parametrize(("codes", "dtype"), [("LAS", np.float32), ("RAS", None), ("PIR", None)])
def test_any_orientation_reads_the_same(phantom, source, tmp_path, codes, dtype):
    other = read_scan(*files(tmp_path, phantom, codes, dtype))
    assert np.array_equal(other.hu, source.hu)
    assert np.array_equal(other.structures, source.structures)
    assert np.allclose(
        other.to_world @ other.grid.affine_ras, source.to_world @ source.grid.affine_ras, atol=1e-3
    )


def test_scan_is_cropped_to_the_liver_with_a_margin(source):
    slices = np.flatnonzero((source.structures == NUMBER["liver"]).any(axis=(1, 2)))
    above = (len(source.hu) - 1 - slices[-1]) * source.grid.spacing_mm[2]
    assert 0 <= above <= 55.0
    assert slices[0] * source.grid.spacing_mm[2] <= 55.0


def test_what_was_never_measured_becomes_air(phantom, tmp_path):
    image, structures = phantom
    array = image.array.astype(np.float32)
    array[:, :10] = -2048.0
    ct = save(tmp_path / "ct.nii.gz", array, image.affine_ras)
    label_map = save(tmp_path / "labels.nii.gz", structures, image.affine_ras)
    made = make_real_patient(read_scan(ct, label_map), 0, scenario="none")
    for phase in made.phases.values():
        assert phase.array.min() >= -1024
        assert np.median(phase.array[:, 2:8]) < -1000


def test_oblique_scans_keep_their_place(phantom, tmp_path):
    image, _ = phantom
    angle = np.deg2rad(8.0)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine = turn @ image.affine_ras
    made = make_real_patient(
        read_scan(*files(tmp_path, phantom, affine=affine)), 3, scenario="mixed"
    )
    # the same voxel is where the oblique header says it is
    k = round((made.reference.affine_ras[2, 3] - image.affine_ras[2, 3]) / image.affine_ras[2, 2])
    assert np.allclose(made.reference.affine_ras @ [5, 6, 0, 1], affine @ [5, 6, k, 1], atol=1e-3)
    for lesion in made.lesions:
        index = np.linalg.inv(made.reference.affine_ras) @ [*lesion.centre_ras, 1.0]
        near = np.rint(index[2::-1]).astype(int)
        around = made.reference.array[tuple(slice(max(n - 2, 0), n + 3) for n in near)]
        assert (around == lesion.label).any()


def core(patient, label, iterations=2):
    return ndimage.binary_erosion(patient.reference.array == label, iterations=iterations)


@pytest.mark.parametrize(
    ("label", "material"),
    [
        (labels.LIVER, Material.LIVER),
        (labels.SPLEEN, Material.SPLEEN),
        (labels.AORTA, Material.AORTA),
    ],
)
def test_each_phase_has_the_hu_of_the_patient(source, label, material):
    palette = Palette(np.random.default_rng(8), 60.0)
    colours = Recolouring(source, palette)
    name = {v: k for k, v in labels.LABEL_OF_STRUCTURE.items()}[label]
    inside = ndimage.binary_erosion(source.mask(name), iterations=2)
    for n, phase in enumerate(PHASES):
        measured = np.median(colours.render(phase)[inside])
        assert measured == pytest.approx(palette.hu[material, n], abs=6.0), phase


def test_recolouring_leaves_the_rest_alone(source):
    moved = Recolouring(source, Palette(np.random.default_rng(8), 60.0)).render("NC") - source.hu
    bone = source.mask("vertebrae_.*", "rib_.*")
    far = ~ndimage.binary_dilation((source.structures > 0) & ~bone, iterations=3)
    # vessels without a label lose their contrast too, so look where they are not
    bright = ndimage.binary_dilation(source.hu > 70, iterations=2)
    assert np.abs(moved[far & ~bright]).max() < 1.0
    assert np.median(np.abs(moved[bone & (source.hu > 300)])) < 1.0


def test_bones_without_labels_are_not_taken_for_vessels(source):
    ribs = source.mask("rib_.*")
    bare = replace(source, structures=np.where(ribs, 0, source.structures).astype(np.uint16))
    moved = Recolouring(bare, Palette(np.random.default_rng(8), 60.0)).render("NC") - bare.hu
    assert np.median(np.abs(moved[ribs & (source.hu > 200)])) < 1.0


def vessel_in_a_liver():
    """A liver of 75 HU with an enhanced vessel of 150 HU, and where the vessel is."""
    grid = Grid((24, 60, 60), (1.0, 1.0, 2.0), (29.5, 29.5, -23.0))
    liver = ellipsoid(grid, (0, 0, 0), (24, 24, 20))
    vessel = tube(grid, [(-16, 0, 0), (16, 0, 0)], 4.0)
    hu = np.full(grid.shape_kji, -100.0, np.float32)
    structures = np.zeros(grid.shape_kji, np.uint16)
    hu[liver.box][liver.values < 0] = 75.0
    structures[liver.box][liver.values < 0] = 5
    inside = np.zeros(grid.shape_kji, bool)
    inside[vessel.box] = vessel.values < 0
    hu[inside] = 150.0
    hu += np.random.default_rng(0).normal(0.0, 4.0, hu.shape).astype(np.float32)
    return RealScan(hu, structures, TOTAL_SEGMENTATOR, grid, np.eye(4)), inside


def test_vessels_of_the_liver_follow_the_phase():
    scan, vessel = vessel_in_a_liver()
    palette = Palette(np.random.default_rng(8), 60.0)
    colours = Recolouring(scan, palette)
    liver = ndimage.binary_erosion(scan.mask("liver") & ~vessel, iterations=2)
    for n, phase in enumerate(PHASES):
        hu = colours.render(phase)
        contrast = np.median(hu[vessel]) - np.median(hu[liver])
        wanted = palette.hu[Material.LIVER_PORTAL, n] - palette.hu[Material.LIVER, n]
        assert contrast == pytest.approx(wanted, abs=18.0), phase
        # the noise of the scan is kept
        assert hu[liver].std() == pytest.approx(4.0, abs=1.0)


def test_no_bright_rim_is_left_around_the_aorta():
    scan, _ = vessel_in_a_liver()
    aorta = tube(scan.grid, [(-16, -27, -30), (-16, -27, 30)], 7.0)
    hu, structures = scan.hu.copy(), scan.structures.copy()
    solid = np.full(hu.shape, -100.0, np.float32)
    solid[aorta.box][aorta.values < 0] = 340.0
    # blurred by the scanner, and labelled a little too small
    blurred = ndimage.gaussian_filter(solid, (0, 1.0, 1.0))
    near = blurred > -95.0
    hu[near] = blurred[near]
    structures[aorta.box][aorta.values < -1.0] = NUMBER["aorta"]
    scan = replace(scan, hu=hu, structures=structures)
    plain = Recolouring(scan, Palette(np.random.default_rng(8), 60.0)).render("NC")
    assert hu[near].max() > 330.0
    assert plain[near].max() < 85.0


def test_lesions_are_painted_into_the_liver_with_their_pattern(source, patient):
    found = {lesion.label for lesion in patient.lesions}
    assert labels.HCC in found
    was_liver = source.mask("liver")
    marked = np.isin(patient.reference.array, labels.LESION_LABELS)
    assert marked.any()
    assert was_liver[marked].all()
    portal = patient.phases["PV"].array
    cyst = core(patient, labels.CYST, 1)
    if cyst.any():
        assert np.median(portal[cyst]) < 30
    assert np.array_equal(patient.phases["PV"].affine_ras, patient.reference.affine_ras)


def test_same_seed_same_bits(source, patient):
    again = make_real_patient(source, 3, scenario="mixed")
    assert again.radiology == patient.radiology
    assert np.array_equal(again.prediction.array, patient.prediction.array)
    for phase in PHASES:
        assert np.array_equal(again.phases[phase].array, patient.phases[phase].array)


def test_class_numbers_are_those_of_totalsegmentator():
    known = {1: "spleen", 5: "liver", 24: "kidney_cyst_right", 26: "vertebrae_S1"}
    known |= {31: "vertebrae_L1", 50: "vertebrae_C1", 52: "aorta", 90: "brain"}
    known |= {64: "portal_vein_and_splenic_vein", 92: "rib_left_1", 115: "rib_right_12"}
    assert {n: TOTAL_SEGMENTATOR[n] for n in known} == known


@pytest.mark.parametrize("table", ["structures.csv", "labels_classes.json", "header"])
def test_names_beside_the_label_map_win(phantom, tmp_path, table):
    image, structures = phantom
    shifted = np.where(structures > 0, structures + 100, 0).astype(np.uint8)
    ct = save(tmp_path / "ct.nii.gz", image.array, image.affine_ras)
    path = save(tmp_path / "labels.nii.gz", shifted, image.affine_ras)
    names = {number + 100: name for number, name in TOTAL_SEGMENTATOR.items()}
    if table == "structures.csv":
        rows = "".join(f"{name},{number}\n" for number, name in names.items())
        (tmp_path / table).write_text(f"structure,id\n{rows}")
    elif table.endswith("json"):
        (tmp_path / table).write_text(json.dumps(names))
    else:
        labelled = nib.load(path)
        entries = "".join(f'<Label Key="{n}">{name}</Label>' for n, name in names.items())
        text = f"<CaretExtension><LabelTable>{entries}</LabelTable></CaretExtension>"
        array = np.asanyarray(labelled.dataobj)
        labelled = nib.Nifti1Image(array, labelled.affine)
        labelled.header.extensions.append(nib.nifti1.Nifti1Extension(0, text.encode()))
        nib.save(labelled, path)
    scan = read_scan(ct, path)
    assert scan.mask("liver").sum() > 1000
    assert scan.names[105] == "liver"


def test_unusable_input_is_named(phantom, tmp_path):
    image, structures = phantom
    ct, label_map = files(tmp_path, phantom)
    with pytest.raises(AnatomyError, match=r"nowhere.nii.gz does not exist"):
        read_scan(tmp_path / "nowhere.nii.gz", label_map)
    small = save(tmp_path / "small.nii.gz", structures[:, :, :-1].copy(), image.affine_ras)
    with pytest.raises(AnatomyError, match="do not have the same grid"):
        read_scan(ct, small)
    empty = save(tmp_path / "empty.nii.gz", np.zeros_like(structures), image.affine_ras)
    with pytest.raises(AnatomyError, match=r"empty.nii.gz has no liver"):
        read_scan(ct, empty)
    torn = tmp_path / "torn.nii.gz"
    torn.write_bytes(ct.read_bytes()[:50_000])
    with pytest.raises(AnatomyError, match=r"torn.nii.gz"):
        read_scan(torn, label_map)
    text = tmp_path / "text.nii.gz"
    text.write_text("not an image")
    with pytest.raises(AnatomyError, match=r"text.nii.gz cannot be read"):
        read_scan(text, label_map)
    (tmp_path / "structures.csv").write_text("a,b\n1,2\n")
    with pytest.raises(AnatomyError, match="class names"):
        read_scan(ct, label_map)


def test_examples_from_a_scan_say_where_they_come_from(phantom, tmp_path):
    folder = tmp_path / "lidc-idri-0001"
    folder.mkdir()
    for name, where in (("lidc", folder), ("other", tmp_path)):
        written = write_examples(tmp_path / name, 1, anatomy=files(where, phantom))
        notice = (tmp_path / name / "ATTRIBUTION.txt").read_text()
        assert tmp_path / name / "ATTRIBUTION.txt" in written
        assert ("LIDC-IDRI" in notice) == (name == "lidc")
        assert "changed" in notice
    assert "ct.nii.gz" in notice
    with pytest.raises(ValueError, match="voxel size is that of the scan"):
        write_examples(tmp_path / "x", 1, spacing_mm=2.0, anatomy=(tmp_path, tmp_path))
