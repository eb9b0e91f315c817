"""Networks on the processor, the way to their grid, and phases brought together."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from benchmarks import _scene
from benchmarks.registry import Pair, row
from inference.contract import Image


@row("network", baseline="torch fp32 eager", reach_ratio=0.35, budget_s=40)
def network() -> Pair:
    """A 3-D U-Net on a patch of 96 x 96 x 96, compiled in fp32."""
    import torch
    from monai.networks.nets import BasicUNet

    from inference.compiled import ready
    from inference.devices import processor_threads

    torch.set_num_threads(processor_threads())
    torch.manual_seed(0)
    unet = BasicUNet(3, 4, 14, features=(12, 24, 48, 96, 128, 12)).eval()
    patch = torch.randn(1, 4, 96, 96, 96)
    compiled = ready(unet, tuple(patch.shape), device="cpu", key="benchmark")
    half = ready(unet, tuple(patch.shape), device="cpu", key="benchmark", precision="bf16")

    def baseline() -> torch.Tensor:
        with torch.inference_mode():
            result: torch.Tensor = unet(patch)
        return result

    best = baseline().argmax(1)
    equal, equal_half = (
        100.0 * float((run(patch).argmax(1) == best).float().mean()) for run in (compiled, half)
    )
    note = f"labels of untrained weights equal in {equal:.3f} % of voxels; bf16 {equal_half:.2f} %"
    return Pair(lambda: compiled(patch), baseline, note=note)


@row("model-grid", baseline="SimpleITK linear", reach_ratio=0.5, budget_s=15)
def model_grid() -> Pair:
    """A phase of 512 x 512 x 300 to the 1.5 mm grid of a network, linear."""
    from inference.grid import grid_of
    from inference.resampling import resample

    volume = next(iter(_scene.phases().values()))
    image = Image(np.ascontiguousarray(volume.array), volume.grid.affine)
    grid = grid_of(image).respaced((1.5, 1.5, 1.5))
    source = sitk.GetImageFromArray(image.array)
    source.SetSpacing(grid_of(image).spacing_kji_mm[::-1])
    k, j, i = grid.shape_kji
    middle = [
        (n - 1) / 2 * old - (new - 1) / 2 * 1.5
        for n, old, new in zip(source.GetSize(), source.GetSpacing(), (i, j, k), strict=True)
    ]
    direction = (1, 0, 0, 0, 1, 0, 0, 0, 1)

    def baseline() -> sitk.Image:
        return sitk.Resample(
            source,
            (i, j, k),
            sitk.Transform(),
            sitk.sitkLinear,
            middle,
            (1.5, 1.5, 1.5),
            direction,
            -1024.0,
            sitk.sitkFloat32,
        )

    difference = float(np.abs(sitk.GetArrayViewFromImage(baseline()) - resample(image, grid)).max())
    return Pair(lambda: resample(image, grid), baseline, note=f"differ by {difference:.2g} HU")


@row("registration", baseline="SimpleITK mutual information, 20 %", reach=4000.0, budget_s=20)
def registration() -> Pair:
    """A phase brought to the breathing position of another one, rigidly, at 4 mm."""
    from inference.liver.registration import register_phases
    from inference.phantom.labels import LIVER
    from inference.phantom.patient import make_patient

    patient = make_patient(3, spacing_mm=2.0, scenario="none")
    images = {"PV": patient.phases["PV"], "ART": _moved(patient.phases["PV"])}
    inside = np.argwhere(patient.reference.array == LIVER)[::40, ::-1]
    points = inside @ patient.reference.affine_ras[:3, :3].T + patient.reference.affine_ras[:3, 3]
    fixed, moving = (_at_4_mm(images[phase]) for phase in ("PV", "ART"))
    back = register_phases(images).transforms["ART"]
    found = (points + MOVED_RAS) @ back[:3, :3].T + back[:3, 3]
    theirs = _registered(fixed, moving)
    lps = np.array([theirs.TransformPoint(point) for point in (points * (-1, -1, 1)).tolist()])
    ours_mm, theirs_mm = (
        float(np.linalg.norm(error, axis=1).mean())
        for error in (found - points, lps * (-1, -1, 1) - points - MOVED_RAS)
    )
    note = (
        f"off by {ours_mm:.2f} mm in the liver (at most 1 mm is wanted), baseline {theirs_mm:.2f}"
    )
    return Pair(lambda: register_phases(images), lambda: _registered(fixed, moving), note=note)


#: How far the phase that is registered lies from where it belongs, RAS mm.
MOVED_RAS = np.array((2.0, -3.0, 11.0))


def _moved(image: Image) -> Image:
    """The image in another place, with other contrast."""
    affine = image.affine_ras.copy()
    affine[:3, 3] += MOVED_RAS
    return Image((0.7 * image.array).astype(np.int16), affine)


def _at_4_mm(image: Image) -> sitk.Image:
    from inference.grid import grid_of
    from inference.resampling import resample

    grid = grid_of(image).oriented("LPS").respaced((4.0, 4.0, 4.0))
    volume = sitk.GetImageFromArray(resample(image, grid, fill_hu=-1024.0, antialias=True))
    volume.SetSpacing((4.0, 4.0, 4.0))
    volume.SetOrigin((grid.affine_ras[:3, 3] * (-1, -1, 1)).tolist())
    return volume


def _registered(fixed: sitk.Image, moving: sitk.Image) -> sitk.Transform:
    """As most scripts do it: Mattes mutual information of a fifth of the voxels, three levels."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.2, 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.01, 100)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    start = sitk.CenteredTransformInitializer(
        fixed, moving, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    method.SetInitialTransform(start, False)
    return method.Execute(fixed, moving)
