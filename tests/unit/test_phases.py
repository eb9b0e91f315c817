"""Which image is which phase."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.volume import PHASES
from labeler.storage.phases import PhaseSource, assign_phases, phase_of_text
from labeler.storage.sources import DicomSeries, SliceRef


def image(name: str, channel_phase: str | None = None) -> PhaseSource:
    stem = name.removesuffix(".nii.gz")
    return PhaseSource(name, Path("/set") / name, stem, channel_phase=channel_phase)


def series(
    uid: str, description: str, slices: int = 60, acquired: str = "", contrast: str = ""
) -> PhaseSource:
    refs = tuple(SliceRef(Path(f"/set/{uid}/{n}")) for n in range(slices))
    source = DicomSeries(
        folder=Path(f"/set/{uid}"),
        uid=uid,
        slices=refs,
        shape_ijk=(512, 512, slices),
        affine=(
            (1.0, 0.0, 0.0, 0.0),
            (0.0, 1.0, 0.0, 0.0),
            (0.0, 0.0, 1.0, 0.0),
            (0.0, 0.0, 0.0, 1.0),
        ),
        description=description,
        acquired=acquired,
        contrast=contrast,
    )
    return PhaseSource(uid, source.folder, description, source)


def names(phases: dict[str, PhaseSource]) -> dict[str, str]:
    return {phase: source.key for phase, source in phases.items()}


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("NC", "NC"),
        ("P001_ART", "ART"),
        ("LV-00417_PV_5mm", "PV"),
        ("P12-DL", "DL"),
        ("non-contrast", "NC"),
        ("Abdomen noncontrast 5.0", "NC"),
        ("WITHOUT CONTRAST", "NC"),
        ("C-", "NC"),
        ("unenhanced", "NC"),
        ("pre", "NC"),
        ("late arterial", "ART"),
        ("LateArterial", "ART"),
        ("arterial late", "ART"),
        ("HAP", "ART"),
        ("portal venous", "PV"),
        ("PortalVenous", "PV"),
        ("Leber portalvenös", "PV"),
        ("PVP 1.0 B31f", "PV"),
        ("venous", "PV"),
        ("delayed", "DL"),
        ("DELAY 3min", "DL"),
        ("equilibrium phase", "DL"),
        ("late", "DL"),
        ("late phase", "DL"),
        ("late venous", "DL"),
        ("70s", "PV"),
        ("上腹平扫", "NC"),
        ("腹部平掃 5mm", "NC"),
        ("动脉期", "ART"),
        ("肝臟動脈期", "ART"),
        ("门静脉期", "PV"),
        ("門靜脈期", "PV"),
        ("静脉期", "PV"),
        ("延迟期", "DL"),
        ("延遲期", "DL"),
        # the last word decides: names begin with the case and end with the phase
        ("NC-Hospital_007_PV", "PV"),
        ("pre_op_ART", "ART"),
        # no words
        ("heart", None),
        ("start", None),
        ("Artifact", None),
        ("Abdomen", None),
        ("CT_001", None),
        ("post contrast", None),
        ("oncology", None),
        ("", None),
    ],
)
def test_words_name_phases(text: str, phase: str | None) -> None:
    assert phase_of_text(text) == phase


@given(st.text(max_size=60))
def test_any_text_is_taken(text: str) -> None:
    assert phase_of_text(text) in (*PHASES, None)


def test_four_named_files() -> None:
    found = assign_phases([image(f"{p}.nii.gz") for p in ("DL", "PV", "NC", "ART")])
    assert list(found.phases) == ["NC", "ART", "PV", "DL"]
    assert not found.problems
    assert not found.notes


def test_channels_win_over_names() -> None:
    found = assign_phases([image("a_0000.nii.gz", "PV"), image("a_0001.nii.gz", "NC")])
    assert names(found.phases) == {"NC": "a_0001.nii.gz", "PV": "a_0000.nii.gz"}


def test_codes_count_when_they_tell_volumes_apart() -> None:
    found = assign_phases([image("x_C1.nii.gz"), image("x_C2.nii.gz"), image("x_C3.nii.gz")])
    assert names(found.phases) == {
        "ART": "x_C1.nii.gz",
        "PV": "x_C2.nii.gz",
        "DL": "x_C3.nii.gz",
    }
    assert not found.problems
    alone = assign_phases([image("x_C2.nii.gz")])
    assert alone.phases["NC"].is_guessed


def test_a_single_unnamed_volume_is_shown_and_noted() -> None:
    found = assign_phases([image("liver_12.nii.gz")], single_phase="PV")
    assert found.phases["PV"].is_guessed
    assert found.notes == ("liver_12.nii.gz names no phase and is shown as PV.",)
    assert not found.problems


def test_contrast_agent_tells_a_single_series() -> None:
    assert list(assign_phases([series("1", "Abdomen", contrast="Iopamidol")]).phases) == ["PV"]
    assert list(assign_phases([series("1", "Abdomen")]).phases) == ["NC"]


def test_unnamed_series_are_guessed_in_order_of_acquisition() -> None:
    found = assign_phases(
        [
            series("1.5", "Abd", acquired="20200101101500", contrast="IV"),
            series("1.9", "Abd", acquired="20200101101000"),
            series("1.7", "Abd", acquired="20200101101200", contrast="IV"),
        ]
    )
    assert names(found.phases) == {"NC": "1.9", "ART": "1.7", "PV": "1.5"}
    assert all(source.is_guessed for source in found.phases.values())
    assert len(found.problems) == 3
    assert all(text.startswith("Phase guessed:") for text in found.problems)


def test_contrast_is_never_guessed_to_be_plain() -> None:
    found = assign_phases([series("1", "A", contrast="IV"), series("2", "B", contrast="IV")])
    assert list(found.phases) == ["ART", "PV"]


def test_a_guess_takes_free_phases_only() -> None:
    found = assign_phases([image("ART.nii.gz"), image("other.nii.gz"), image("PV.nii.gz")])
    assert names(found.phases) == {
        "NC": "other.nii.gz",
        "ART": "ART.nii.gz",
        "PV": "PV.nii.gz",
    }
    assert found.problems == ("Phase guessed: other.nii.gz is shown as NC.",)


def test_more_unnamed_volumes_than_phases() -> None:
    found = assign_phases([image(f"scan{n}.nii.gz") for n in range(7)])
    assert list(found.phases) == list(PHASES)
    assert len(found.spare) == 3
    assert found.problems[-1] == (
        "Not shown, phase unknown: scan4.nii.gz, scan5.nii.gz, scan6.nii.gz."
    )


def test_of_two_series_of_a_phase_the_one_with_most_slices_is_shown() -> None:
    found = assign_phases(
        [series("1", "PV thick", 40), series("2", "PV thin", 200), series("3", "PV cor MPR", 512)]
    )
    assert names(found.phases) == {"PV": "2"}
    assert [source.key for source in found.spare] == ["1", "3"]
    assert found.problems == (
        "PV is there more than once: PV thin is shown, not PV thick, PV cor MPR.",
    )


def test_of_a_packed_and_a_plain_file_the_packed_one_is_shown() -> None:
    found = assign_phases([image("PV.nii"), image("PV.nii.gz")])
    assert names(found.phases) == {"PV": "PV.nii.gz"}
    assert len(found.problems) == 1


def test_reformats_are_not_guessed() -> None:
    found = assign_phases([series("1", "PV"), series("2", "Abd sagittal MPR")])
    assert list(found.phases) == ["PV"]
    assert [source.key for source in found.spare] == ["2"]


def test_what_was_set_by_hand_wins() -> None:
    images = [image("ART.nii.gz"), image("PV.nii.gz"), image("x.nii.gz")]
    by_hand = {"PV.nii.gz": "ART", "ART.nii.gz": "DL", "x.nii.gz": ""}
    found = assign_phases(images, by_hand)
    assert names(found.phases) == {"ART": "PV.nii.gz", "DL": "ART.nii.gz"}
    assert [source.key for source in found.spare] == ["x.nii.gz"]
    assert not found.problems


def test_overrides_of_other_images_and_nonsense_are_ignored() -> None:
    found = assign_phases([image("ART.nii.gz")], {"gone.nii.gz": "PV", "ART.nii.gz": "XX"})
    assert names(found.phases) == {"ART": "ART.nii.gz"}


@given(
    st.lists(
        st.sampled_from(
            ["NC", "ART", "PV", "DL", "a", "b1", "late", "C1", "C2", "MPR", "seg", "动脉期"]
        ),
        max_size=8,
    ),
    st.dictionaries(st.integers(0, 7), st.sampled_from(["NC", "ART", "PV", "DL", "", "?"])),
)
def test_no_image_is_lost_or_shown_twice(texts: list[str], by_hand: dict[int, str]) -> None:
    images = [PhaseSource(f"{n}_{t}", Path(f"/s/{n}_{t}"), t) for n, t in enumerate(texts)]
    overrides = {images[n].key: phase for n, phase in by_hand.items() if n < len(images)}
    found = assign_phases(images, overrides)
    shown = [source.key for source in (*found.phases.values(), *found.spare)]
    assert sorted(shown) == sorted(source.key for source in images)
    assert set(found.phases) <= set(PHASES)
