"""Cases: which there are, and what each consists of.

Scanning looks at names only, so that a list of thousands appears at once; :func:`inspect` opens
the headers of one case. Bad input becomes sentences in ``problems``, never an exception.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from labeler.storage import sidecar as sidecars
from labeler.storage.case_folders import find_case_folders
from labeler.storage.case_names import case_file_name
from labeler.storage.centroid_names import VERSE_SUFFIX, centroids_in, in_order
from labeler.storage.finding import Findings, FoundCase, find_flat, find_single_file
from labeler.storage.layout_detection import detect_layout, find_roots
from labeler.storage.layouts import LAYOUTS, layout_rules
from labeler.storage.listing import display_name, list_folder, natural_key
from labeler.storage.mask_index import MaskIndex, masks_in
from labeler.storage.phase_folders import LAYOUT as PHASE_FOLDERS
from labeler.storage.phase_folders import find_phase_folders
from labeler.storage.phases import PhaseSource, assign_phases
from labeler.storage.reports import find_reports

__all__ = [
    "Case",
    "CaseSet",
    "MaskSource",
    "PhaseSource",
    "find_reports",
    "inspect",
    "new_centroid_path",
    "new_mask_path",
    "rescan",
    "scan",
    "scan_batches",
]


@dataclass(frozen=True)
class MaskSource:
    """A mask file of a case; ``name`` is unique within the case."""

    name: str
    path: Path


@dataclass(frozen=True)
class Case:
    """One examination, as far as it is known.

    Attributes
    ----------
    id
        Names the case within its folder; "/" where cases lie in deeper folders.
    layout
        Layout it was found in.
    folder
        Folder of its images.
    image_root, mask_root
        Folders of the set it belongs to; equal when masks lie among the images.
    phases
        Images that are shown, by phase, in the order NC, ART, PV, DL. Empty for a DICOM case that
        has not been inspected.
    spare
        Images that are not shown.
    masks
        Mask files.
    landmarks
        Files of vertebra centroids, the one that is used first.
    problems
        Sentences a person should read.
    notes
        Sentences about what was assumed.
    status
        As noted in the sidecar.
    is_inspected
        Whether headers have been read.
    found_problems
        Those of ``problems`` that the search for files gave.
    """

    id: str
    layout: str
    folder: Path
    image_root: Path
    mask_root: Path
    phases: Mapping[str, PhaseSource] = field(default_factory=dict)
    spare: tuple[PhaseSource, ...] = ()
    masks: tuple[MaskSource, ...] = ()
    landmarks: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    status: str = "todo"
    is_inspected: bool = False
    found_problems: tuple[str, ...] = field(default=(), repr=False)

    @property
    def images(self) -> tuple[PhaseSource, ...]:
        """All images, shown or not."""
        return (*self.phases.values(), *self.spare)


@dataclass(frozen=True)
class CaseSet:
    """Cases of an image folder, or a batch of them.

    Attributes
    ----------
    image_root, mask_root, layout
        As found or as forced.
    cases
        In natural order of their ids.
    problems
        Sentences about the folders as a whole.
    total
        Expected number of all cases.
    """

    image_root: Path
    mask_root: Path
    layout: str
    cases: tuple[Case, ...] = ()
    problems: tuple[str, ...] = ()
    total: int = 0


def scan(
    image_root: Path,
    mask_root: Path | None = None,
    layout: str | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> CaseSet:
    """Find all cases (see :func:`scan_batches`)."""
    batches = list(scan_batches(image_root, mask_root, layout, should_stop=should_stop))
    return replace(
        batches[0],
        cases=tuple(case for batch in batches for case in batch.cases),
        problems=tuple(text for batch in batches for text in batch.problems),
        total=sum(len(batch.cases) for batch in batches),
    )


def scan_batches(
    image_root: Path,
    mask_root: Path | None = None,
    layout: str | None = None,
    batch_size: int = 500,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[CaseSet]:
    """Find cases and give them in batches; the first comes early and small.

    Parameters
    ----------
    image_root
        Folder of images, of data sets with ``images`` in it, of a single case, or a file.
    mask_root
        Folder of masks; looked for beside or among the images when ``None``.
    layout
        One of :data:`~labeler.storage.layouts.LAYOUTS`; detected when ``None``.
    batch_size
        Cases a batch.
    should_stop
        Asked between cases.

    Yields
    ------
    CaseSet
        New cases and new problems; at least one batch, possibly empty.
    """
    problems: list[str] = []
    if layout is not None and layout not in LAYOUTS:
        problems.append(f"There is no layout {layout!r}; it is one of {', '.join(LAYOUTS)}.")
        layout = None
    # os.path, not Path: the latter raises when a parent folder may not be entered.
    if not os.path.exists(image_root):
        problems.append(f"{image_root} does not exist, or may not be entered.")
        yield CaseSet(image_root, mask_root or image_root, layout or "", problems=tuple(problems))
        return
    image_root, masks = find_roots(image_root, mask_root)
    if mask_root is not None and not os.path.isdir(mask_root):
        problems.append(f"The mask folder {mask_root} does not exist yet.")
    layout = layout or detect_layout(image_root)
    findings = _find(image_root, layout, masks)
    assembler = _Assembler(image_root, masks, findings)
    problems += findings.problems + assembler.problems
    whole = CaseSet(image_root, masks, layout, total=len(findings.ids))
    batch: list[Case] = []
    count, size = 0, min(50, batch_size)
    for found in findings.cases:
        if should_stop is not None and should_stop():
            break
        batch.append(assembler.case(found))
        count += 1
        if len(batch) >= size:
            yield replace(whole, cases=tuple(batch), problems=tuple(problems))
            batch, size, problems = [], batch_size, []
    else:
        if not count:
            problems.append(f"No cases were found in {image_root} (layout {layout}).")
    yield replace(whole, cases=tuple(batch), problems=tuple(problems), total=count)


def _find(image_root: Path, layout: str, mask_root: Path) -> Findings:
    if os.path.isfile(image_root):
        return find_single_file(image_root, layout)
    listing = list_folder(image_root)
    if layout in ("case-folders", "dicom"):
        return find_case_folders(listing, layout, mask_root)
    if layout == PHASE_FOLDERS:
        return find_phase_folders(listing)
    return find_flat(listing, layout)


class _Assembler:
    """Makes cases of found files: masks, notes and phases are added."""

    def __init__(self, image_root: Path, mask_root: Path, findings: Findings) -> None:
        self._image_root = image_root
        self._mask_root = mask_root
        self._cut = len(os.path.join(_folder(image_root), ""))  # keys are below the image folder
        self._index = MaskIndex(
            mask_root,
            findings.ids,
            only_mask_folders=_is_shared(image_root, mask_root),
            loose=findings.loose_masks,
            loose_centroids=findings.loose_centroids,
        )
        self._sidecars = sidecars.list_sidecars(mask_root)
        self.problems = self._index.problems

    def case(self, found: FoundCase) -> Case:
        """Put one case together."""
        summary = sidecars.Summary()
        path = self._sidecars.get(case_file_name(found.id))
        if path is not None:
            summary = sidecars.read_summary(path)
        problems = found.problems + ([summary.problem] if summary.problem else [])
        masks = found.masks + self._index.masks_of(found.id, problems)
        case = Case(
            id=found.id,
            layout=found.layout,
            folder=Path(found.folder),
            image_root=self._image_root,
            mask_root=self._mask_root,
            masks=_mask_sources(masks),
            landmarks=in_order(
                found.centroids + self._index.centroids_of(found.id), self._mask_root
            ),
            status=summary.status,
            found_problems=tuple(problems),
        )
        images = [
            PhaseSource(
                key=image.path[self._cut :].replace(os.sep, "/"),
                path=Path(image.path),
                text=image.text,
                channel_phase=image.channel_phase,
            )
            for image in found.images
        ]
        return _with_images(case, images, summary.phases)


def _folder(image_root: Path) -> Path:
    return image_root.parent if os.path.isfile(image_root) else image_root


def _is_shared(image_root: Path, mask_root: Path) -> bool:
    """Whether images lie in the mask folder too."""
    return _folder(image_root).is_relative_to(mask_root)


def _mask_sources(masks: Sequence[tuple[str, str]]) -> tuple[MaskSource, ...]:
    """Mask files in order of their names, which are made unique."""
    sources: dict[str, MaskSource] = {}
    seen: set[str] = set()
    for name, path in sorted(masks, key=lambda mask: natural_key(mask[0])):
        if path in seen:
            continue
        seen.add(path)
        unique, number = name, 2
        while unique in sources:
            unique, number = f"{name} ({number})", number + 1
        sources[unique] = MaskSource(unique, Path(path))
    return tuple(sources.values())


def _with_images(
    case: Case, images: Sequence[PhaseSource], overrides: Mapping[str, str] | None
) -> Case:
    """Decide which images are shown as what."""
    rules = layout_rules()
    single_phase = rules.single_phase_of_layout.get(case.layout, rules.single_phase)
    assignment = assign_phases(images, overrides, single_phase)
    return replace(
        case,
        phases=assignment.phases,
        spare=assignment.spare,
        problems=case.found_problems + assignment.problems,
        notes=assignment.notes,
    )


def inspect(case: Case) -> Case:
    """Read the headers of a case: shapes, spacings, series, and what is wrong with them.

    Takes milliseconds a file, and longer for DICOM: not for the main thread.
    """
    # The readers take a while to import; the list of cases is on the screen before.
    from labeler.storage.inspection import find_series, find_series_of, read_facts

    notes: Sequence[str] = ()
    folders = [source for source in case.images if source.is_folder]
    if case.layout == "dicom" or folders:
        found = find_series_of(folders) if folders else find_series(case.folder)
        found.images += [source for source in case.images if folders and source not in folders]
        overrides = sidecars.load_sidecar(case.mask_root, case.id).sidecar.phases
        problems = _merged(case.found_problems, found.problems)
        case = _with_images(replace(case, found_problems=problems), found.images, overrides)
        notes = found.notes
    facts = read_facts(case.phases, case.spare, {mask.name: mask.path for mask in case.masks})
    return replace(
        case,
        phases={phase: facts.images[source.key] for phase, source in case.phases.items()},
        spare=tuple(facts.images[source.key] for source in case.spare),
        problems=_merged(case.problems, facts.problems),
        notes=_merged((*case.notes, *notes), facts.notes),
        is_inspected=True,
    )


def _merged(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def rescan(case: Case) -> Case:
    """Look at the files of a case anew, after a mask was added or a phase was set by hand."""
    notes = sidecars.load_sidecar(case.mask_root, case.id)
    problems = [*case.found_problems, *notes.problems]
    paths = {mask.name: os.fspath(mask.path) for mask in case.masks}
    masks = [(name, path) for name, path in paths.items() if os.path.exists(path)]
    masks += masks_in(_own_mask_folder(case), case.id, problems)
    centroids = [os.fspath(path) for path in case.landmarks if os.path.exists(path)]
    centroids += centroids_in(_own_mask_folder(case))
    fresh = replace(
        case,
        masks=_mask_sources(masks),
        landmarks=in_order(centroids, case.mask_root),
        status=notes.sidecar.status,
        found_problems=tuple(dict.fromkeys(problems)),
        is_inspected=False,
    )
    return _with_images(fresh, case.images, notes.sidecar.phases)


def _own_mask_folder(case: Case) -> Path:
    """Folder in which new masks of a case are written and found again."""
    if _is_shared(case.image_root, case.mask_root):
        return case.mask_root / "masks" / case.id
    return case.mask_root / case.id


def new_mask_path(case: Case, name: str) -> Path:
    """Where a new mask of a case is to be written, so that the next scan finds it.

    Raises
    ------
    ValueError
        When the name cannot be that of a file.
    """
    if not name or name != name.strip(" .") or any(c in '/\\:*?"<>|' or ord(c) < 32 for c in name):
        raise ValueError(f"{display_name(name)!r} cannot be the name of a mask file.")
    return _own_mask_folder(case) / f"{name}.nii.gz"


def new_centroid_path(case: Case) -> Path:
    """Where centroids of a case without a file are to be written, so that the next scan finds it.

    The place is that of new masks; the name is that of the VerSe data set.
    """
    return _own_mask_folder(case) / f"{os.path.basename(case.id)}{VERSE_SUFFIX}"
