"""A folder whose drive is gone is not taken for the folder that was there."""

from __future__ import annotations

import pytest

from labeler.storage.errors import SaveError
from labeler.storage.places import Place
from tests.unit.storage_faults import small_disk


def test_a_folder_that_stays_is_found(tmp_path):
    place = Place.of(tmp_path, tmp_path / ".lock")
    place.check()
    (tmp_path / "more").mkdir()
    place.check()


def test_a_folder_that_is_removed_is_gone(tmp_path):
    (tmp_path / "masks").mkdir()
    place = Place.of(tmp_path / "masks", tmp_path / "masks" / ".lock")
    (tmp_path / "masks").rmdir()
    with pytest.raises(SaveError, match="The folder masks is gone"):
        place.check()


def test_a_folder_that_was_not_there_may_come(tmp_path):
    place = Place.of(tmp_path / "masks", tmp_path / "masks" / ".lock")
    place.check()
    (tmp_path / "masks").mkdir()
    place.check()


def test_the_folder_below_a_drive_that_is_gone_is_not_the_drive(tmp_path):
    with small_disk(tmp_path / "drive") as drive:
        place = Place.of(drive, drive / ".lock")
        place.check()
    with pytest.raises(SaveError, match="The drive of drive is gone"):
        place.check()
    (tmp_path / "drive" / ".lock").touch()  # what was there is back, under another number
    place.check()


def test_another_folder_in_its_place_is_not_the_folder(tmp_path):
    (tmp_path / "masks").mkdir()
    place = Place.of(tmp_path / "masks", tmp_path / "masks" / ".lock")
    (tmp_path / "masks").rename(tmp_path / "aside")
    (tmp_path / "masks").mkdir()
    with pytest.raises(SaveError, match="another folder is in its place"):
        place.check()
