"""What an image can be read from, and what is known of it before its voxels are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

from labeler.core.geometry import AxisOrder, FloatArray, Grid, canonical_axes

SeriesKind = Literal["volume", "localizer", "film"]


class ReadContext(Protocol):
    """What a reader may use to talk to whoever waits for it."""

    def report(self, fraction: float, text: str = "") -> None:
        """Tell how far the reading is, 0..1."""

    def check(self) -> None:
        """Raise when the result is no longer wanted."""


class NoContext:
    """The context of a caller who just waits."""

    def report(self, fraction: float, text: str = "") -> None:
        """Do nothing."""

    def check(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class SliceRef:
    """One slice of a DICOM series: a file, and the frame in it counted from zero."""

    path: Path
    frame: int = 0


@dataclass(frozen=True)
class DicomSeries:
    """The files of one DICOM stack, in the order of the slices.

    Attributes
    ----------
    folder
        Deepest folder that holds all files.
    uid
        SeriesInstanceUID. Several stacks of one series share it; ``part`` tells them apart.
    part
        0, or the number of the stack within its series, from 1.
    slices
        Sorted along the normal of the image plane; in file order when there is no such order.
    shape_ijk
        Columns, rows and slices.
    affine
        Rows of the ``(4, 4)`` matrix that maps ``(i, j, k, 1)`` of these slices to RAS mm; of no
        meaning when ``problem`` is set.
    kind
        ``volume``, ``localizer`` (scout views) or ``film`` (CR, DX).
    patient_id
        Groups the series of one patient; never to be logged or written to a file name.
    contrast
        Contrast agent and route as the scanner noted them, "" when it noted none.
    acquired
        Date and time of the first slice as ``YYYYMMDDHHMMSS``, "" when unknown.
    problem
        Sentence that says why the stack is no volume; reading it raises this sentence.
    notes
        Sentences about what is unusual but harmless.
    """

    folder: Path
    uid: str
    slices: tuple[SliceRef, ...]
    shape_ijk: tuple[int, int, int]
    affine: tuple[tuple[float, ...], ...]
    kind: SeriesKind = "volume"
    part: int = 0
    description: str = ""
    modality: str = ""
    series_number: int | None = None
    study_uid: str = ""
    patient_id: str = field(default="", repr=False)
    contrast: str = ""
    acquired: str = ""
    problem: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What people call the series: number and description."""
        number = "" if self.series_number is None else f"{self.series_number}"
        words = [number, self.description or self.modality, f"({self.part})" if self.part else ""]
        return " ".join(word for word in words if word) or "series without a name"

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """The files, each once."""
        return tuple(dict.fromkeys(ref.path for ref in self.slices))


Source = Path | DicomSeries


def source_name(source: Source) -> str:
    """Name of a source for sentences: the file's, or the series' with its folder's."""
    if isinstance(source, DicomSeries):
        return f"series '{source.title}' in {source.folder.name}"
    return source.name


@dataclass(frozen=True, eq=False)
class ImageHeader:
    """What a file says about its voxels.

    Attributes
    ----------
    shape_ijk
        Shape as stored; a film has one slice.
    affine
        ``(4, 4)`` float64; maps the file's ``(i, j, k, 1)`` to RAS mm.
    dtype
        numpy name of the stored type, e.g. ``int16``.
    format
        ``NIfTI``, ``DICOM``, ``NRRD``, ``MetaImage`` or ``PNG``.
    is_film
        A radiograph: one slice of float32 grey values, not HU.
    notes
        Sentences for the user about what had to be assumed.
    """

    shape_ijk: tuple[int, int, int]
    affine: FloatArray
    dtype: str
    format: str
    is_film: bool = False
    notes: tuple[str, ...] = ()

    @cached_property
    def axis_order(self) -> AxisOrder:
        """Way from the file's axes to the canonical ones.

        Raises
        ------
        GeometryError
            When no slice view can show the affine.
        """
        return canonical_axes(self.affine, self.shape_ijk)

    @cached_property
    def grid(self) -> Grid:
        """Grid of the volume that reading gives (canonical axes)."""
        order = self.axis_order
        i, j, k = (self.shape_ijk[axis] for axis in order.permutation)
        return Grid((k, j, i), order.canonical_affine(self.affine))

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size along the file's axes."""
        spacing_ijk = [0.0, 0.0, 0.0]
        for axis, source in enumerate(self.axis_order.permutation):
            spacing_ijk[source] = self.grid.spacing_mm[axis]
        return spacing_ijk[0], spacing_ijk[1], spacing_ijk[2]
