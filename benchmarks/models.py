"""Networks on the processor, and the way to their grid."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from benchmarks import _scene
from benchmarks.registry import Pair, row


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
    from inference.contract import Image
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
