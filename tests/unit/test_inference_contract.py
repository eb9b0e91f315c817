"""What the contract between images and models accepts, refuses and keeps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.contract import Image, LabelMap, Landmark, Request, Result

SHAPE = (2, 3, 4)


def image(dtype=np.int16, affine=None):
    return Image(np.zeros(SHAPE, dtype), np.eye(4) if affine is None else affine)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_image_keeps_the_callers_memory_but_not_the_right_to_write(dtype):
    array = np.arange(24, dtype=dtype).reshape(SHAPE)
    kept = Image(array, np.eye(4)).array
    assert np.shares_memory(kept, array)
    with pytest.raises(ValueError, match="read-only"):
        kept[0, 0, 0] = 1
    array[0, 0, 0] = 7  # the caller's own array stays writable
    assert kept[0, 0, 0] == 7


@pytest.mark.parametrize("dtype", [np.uint8, np.float64, np.int32, ">i2"])
def test_image_refuses_other_voxel_types(dtype):
    with pytest.raises(ValueError, match="int16 or float32"):
        image(dtype)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.int64])
def test_label_map_refuses_other_voxel_types(dtype):
    with pytest.raises(ValueError, match="uint8 or uint16"):
        LabelMap(np.zeros(SHAPE, dtype), np.eye(4))


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((3, 4), np.int16), "three axes"),
        (np.zeros((1, 2, 3, 4), np.int16), "three axes"),
        (np.zeros((0, 3, 4), np.int16), "three axes"),
        (np.zeros(SHAPE, np.int16).transpose(2, 1, 0), "C-contiguous"),
        (np.zeros((4, 3, 4), np.int16)[::2], "C-contiguous"),
    ],
)
def test_image_refuses_other_layouts(array, reason):
    with pytest.raises(ValueError, match=reason):
        Image(array, np.eye(4))


@pytest.mark.parametrize(
    ("affine", "reason"),
    [
        (np.eye(3), "4x4"),
        (np.full((4, 4), np.nan), "not finite"),
        (np.diag([1.0, 0.0, 1.0, 1.0]), "no inverse"),
        (np.diag([1.0, 1.0, 1.0, 2.0]), "last row"),
    ],
)
def test_image_refuses_unusable_affines(affine, reason):
    with pytest.raises(ValueError, match=reason):
        image(affine=affine)


def test_affine_is_a_copy_nobody_can_change():
    affine = np.eye(4)
    kept = image(affine=affine).affine_ras
    affine[0, 3] = 5.0
    assert kept[0, 3] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        kept[0, 0] = 2.0


@given(st.floats(0.0, 1.0), st.tuples(*[st.floats(-1e6, 1e6)] * 3))
def test_landmark_keeps_what_it_is_given(confidence, position):
    landmark = Landmark(20, position, confidence)
    assert (landmark.confidence, landmark.position_ras) == (confidence, position)


@pytest.mark.parametrize("confidence", [-0.01, 1.01, float("nan")])
def test_landmark_refuses_confidences_that_are_none(confidence):
    with pytest.raises(ValueError, match="between 0 and 1"):
        Landmark(20, (0.0, 0.0, 0.0), confidence)


@pytest.mark.parametrize("position", [(0.0, 1.0), (0.0, 1.0, float("inf"))])
def test_landmark_refuses_positions_that_are_none(position):
    with pytest.raises(ValueError, match="three finite"):
        Landmark(20, position, 0.5)


def test_request_needs_an_image_and_does_not_follow_later_changes():
    with pytest.raises(ValueError, match="at least one image"):
        Request({})
    images = {"PV": image()}
    request = Request(images, {"m": 2.0})
    images["NC"] = image()
    assert list(request.images) == ["PV"]
    with pytest.raises(TypeError):
        request.params["m"] = 3.0


def test_result_needs_something_found():
    with pytest.raises(ValueError, match="mask, landmarks or measures"):
        Result(report="nothing")
    assert Result(landmarks=()).landmarks == ()
    assert Result(measures={"t_score": None}).measures == {"t_score": None}
