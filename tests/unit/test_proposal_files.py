"""Proposals as bytes and in their folder."""

import os

import numpy as np
import pytest

from labeler.storage.cases import Case
from labeler.storage.proposal_files import PackedProposal, ProposalFolder, case_key, pack, unpack
from tests.unit.storage_files import random_hu


def labels(dtype=np.uint8) -> np.ndarray:
    return (np.abs(random_hu((9, 8, 7))) % 5).astype(dtype)


@pytest.fixture
def folder(tmp_path) -> ProposalFolder:
    return ProposalFolder(tmp_path / "proposals", 10_000)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_comes_out_is_what_went_in(dtype):
    array = labels(dtype)
    document, found = unpack(pack({"id": "x", "names": {"1": "Foie \u00e9"}}, array))
    np.testing.assert_array_equal(found, array)
    assert found.dtype == dtype
    assert (document["id"], document["names"]) == ("x", {"1": "Foie \u00e9"})


def test_damage_is_noticed_at_every_byte():
    data = pack({"id": "x"}, labels())
    for place in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[place] ^= 0x41
        with pytest.raises(ValueError, match="it"):
            unpack(bytes(damaged))
    for length in range(0, len(data), 5):
        with pytest.raises(ValueError, match="it"):
            unpack(data[:length])


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="JSON compliant"):
        pack({"measure": float("nan")}, labels())


def test_a_proposal_is_kept_and_dropped(folder):
    assert folder.get("k") is None
    folder.put(PackedProposal("k", b"first"))
    folder.put(PackedProposal("k", b"second"))
    assert folder.holds("k")
    assert folder.get("k").data == b"second"
    folder.drop("k")
    folder.drop("k")
    assert not folder.holds("k")


def test_the_oldest_give_way(folder):
    for place, name in enumerate("abc"):
        folder.put(PackedProposal(name, bytes(4_000)))
        os.utime(folder._path(name), ns=(place, place))
    folder.put(PackedProposal("d", bytes(4_000)))
    assert [name for name in "abcd" if folder.holds(name)] == ["c", "d"]


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path):
    (tmp_path / "file").touch()
    folder = ProposalFolder(tmp_path / "file" / "proposals")
    folder.put(PackedProposal("k", b"data"))
    assert folder.get("k") is None


def test_the_name_of_a_case_is_not_in_its_key(tmp_path):
    case = Case("Doe_John", "flat", tmp_path, tmp_path, tmp_path)
    other = Case("Doe_John", "flat", tmp_path, tmp_path, tmp_path / "masks")
    assert "doe" not in case_key(case).lower()
    assert case_key(case) != case_key(other)
