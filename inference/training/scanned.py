"""Scanned phantoms: whole examinations as `ct-infer run` would get them, kept on disk.

Stage 1 at work is imitated by nobody: what it proposes is taken from patients that are scanned,
registered and segmented as any other. Making one takes seconds, so that a folder keeps them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference.contract import Affine, Image, LabelMap
from inference.phantom import variety
from inference.phantom.case import PhantomPatient
from inference.phantom.patient import make_patient

SPACING_MM = 1.5
"""Pixel size; slices are 5/3 as thick."""

Displacement = tuple[float, float, float]


def scanned_patient(seed: int) -> PhantomPatient:
    """Return a patient with the variety of training, with lesions and scan as the seed says."""
    return make_patient(seed, spacing_mm=SPACING_MM, variety=variety.draw(seed))


@dataclass(frozen=True, eq=False)
class Scanned:
    """What is needed of a phantom to segment it and to know the truth.

    Parameters
    ----------
    phases : mapping of str to Image
        int16 HU.
    reference : LabelMap
        Organs and lesions, where they were in the reference position.
    breathing_ras : mapping of str to tuple of three floats
        By phase, how far the organs have moved since, in mm.
    """

    phases: Mapping[str, Image]
    reference: LabelMap
    breathing_ras: Mapping[str, Displacement]

    @classmethod
    def of(cls, patient: PhantomPatient) -> Scanned:
        """Return the part of a phantom that counts here.

        Raises
        ------
        ValueError
            Nothing is known about it: it was made from a real scan.
        """
        if patient.truth is None:
            raise ValueError("a phantom made from a real scan has no truth to compare with")
        return cls(patient.phases, patient.reference, patient.truth.breathing_ras)

    def reference_in(self, phase: str) -> LabelMap:
        """Return the mask where the organs are in a phase."""
        affine: Affine = self.reference.affine_ras.copy()
        affine[:3, 3] += self.breathing_ras[phase]
        return LabelMap(self.reference.array, affine)


def write_scanned(path: Path, patient: Scanned) -> None:
    """Write a patient, so that the file is there as a whole or not at all."""
    arrays = {"reference": patient.reference.array, "affine": patient.reference.affine_ras}
    for phase, image in patient.phases.items():
        arrays[f"{phase}-hu"] = image.array
        arrays[f"{phase}-affine"] = image.affine_ras
        arrays[f"{phase}-breathing"] = np.array(patient.breathing_ras[phase])
    partial = path.with_suffix(f".{os.getpid()}.part")
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    os.replace(partial, path)


def read_scanned(path: Path) -> Scanned:
    """Return what :func:`write_scanned` wrote."""
    phases, breathing = {}, {}
    with np.load(path, allow_pickle=False) as file:
        for phase in [n.removesuffix("-hu") for n in file.files if n.endswith("-hu")]:
            phases[phase] = Image(file[f"{phase}-hu"], file[f"{phase}-affine"])
            x, y, z = file[f"{phase}-breathing"].tolist()
            breathing[phase] = (x, y, z)
        return Scanned(phases, LabelMap(file["reference"], file["affine"]), breathing)


class ScannedPool:
    """Scanned patients by seed, made when they are first asked for.

    Parameters
    ----------
    folder : Path
        A cache: may be deleted at any time. Made when it is missing.
    make : callable
        Returns the patient of a seed.
    """

    def __init__(
        self, folder: Path, make: Callable[[int], PhantomPatient] = scanned_patient
    ) -> None:
        self._folder, self._make = folder, make
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, seed: int) -> Scanned:
        """Return the patient of a seed."""
        path = self._folder / f"scan-{seed:07d}.npz"
        if not path.exists():
            write_scanned(path, Scanned.of(self._make(seed)))
        return read_scanned(path)
