"""What ``plans.json`` and ``dataset.json`` of an nnU-Net v2 folder say about a configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.phases import phase_of

_ANISOTROPY = 3.0  # nnU-Net's threshold from which on slices are resampled apart
_READERS = {
    # as the files of most data sets are stored; nnU-Net itself looks at no orientation here
    "SimpleITKIO": "SPL",
    "NibabelIO": "SPL",
    "NibabelIOWithReorient": "SAR",
    "SimpleITKIOWithReorient": "SAR",
}
_RESAMPLERS = ("resample_data_or_seg_to_shape",)
_NORMALIZATIONS = (
    "CTNormalization",
    "ZScoreNormalization",
    "NoNormalization",
    "RescaleTo01Normalization",
)


@dataclass(frozen=True)
class Labels:
    """The labels of a data set.

    Parameters
    ----------
    names : mapping of int to str
        Without the background.
    heads : int
        Channels of the network's output.
    region_order : tuple of int
        For networks trained on overlapping regions: the label written for each channel, in this
        order; empty for the others, whose channel n is label n.
    """

    names: Mapping[int, str]
    heads: int
    region_order: tuple[int, ...]


@dataclass(frozen=True)
class Resampling:
    """Orders of the splines: within slices and, where slices are thick, across them."""

    order: int
    order_z: int
    separate: bool | None

    def thick_axis(self, old_mm: tuple[float, ...], new_mm: tuple[float, ...]) -> int | None:
        """Return the axis that is resampled apart from the others, as nnU-Net decides it."""
        if self.separate is False:
            return None
        for spacing in (old_mm, new_mm):
            if self.separate or max(spacing) / min(spacing) > _ANISOTROPY:
                coarsest = [axis for axis, mm in enumerate(spacing) if mm == max(spacing)]
                return coarsest[0] if len(coarsest) == 1 else None
        return None


@dataclass(frozen=True)
class Configuration:
    """A configuration, resolved.

    Parameters
    ----------
    patch, spacing_mm : tuples of three
        Along the network's axes, after `transpose`.
    transpose : tuple of three int
        Which axis of the array [k, j, i] becomes which of the network.
    orientation : str
        Of the array before that.
    normalizations : tuple of str
        One a channel.
    masked : tuple of bool
        Whether a channel is normalized over its voxels that are not 0.
    intensities : tuple of mapping
        Statistics of each channel.
    data, scores : Resampling
    architecture : mapping
        As newer plans describe it.
    """

    patch: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    transpose: tuple[int, int, int]
    orientation: str
    normalizations: tuple[str, ...]
    masked: tuple[bool, ...]
    intensities: tuple[Mapping[str, float], ...]
    data: Resampling
    scores: Resampling
    architecture: Mapping[str, Any]


def parsed_json(data: bytes, path: Path) -> dict[str, Any]:
    """Return the JSON object in the content of a file.

    Raises
    ------
    ValueError
        There is none; the message names the file.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON document: {error}") from error
    if not isinstance(document, dict):
        raise ValueError(f"{path} is no JSON object")
    return document


def labels_of(dataset: Mapping[str, Any]) -> Labels:
    """Return the labels in ``dataset.json``.

    Raises
    ------
    ValueError
        There are none, or regions without an order.
    """
    entries = dataset.get("labels")
    if not isinstance(entries, dict) or "background" not in entries:
        raise ValueError("dataset.json names no labels")
    found = {name: value for name, value in entries.items() if name not in ("background", "ignore")}
    if any(isinstance(value, list) and len(value) > 1 for value in found.values()):
        order = tuple(int(n) for n in dataset.get("regions_class_order", ()))
        if len(order) != len(found):
            raise ValueError("dataset.json gives no order for its regions")
        names = dict(zip(order, found, strict=True))
        return Labels(names, len(order), order)
    names = {int(value[0] if isinstance(value, list) else value): n for n, value in found.items()}
    return Labels(dict(sorted(names.items())), len(names) + 1, ())


def channels_of(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the phases of the channels; empty for a single channel.

    Raises
    ------
    ValueError
        Several channels, and names that tell no phases.
    """
    names = dataset.get("channel_names", dataset.get("modality"))
    if not isinstance(names, dict) or not names:
        raise ValueError("dataset.json names no channels")
    if len(names) == 1:
        return ()
    phases = [phase_of(str(names[str(n)])) for n in range(len(names))]
    if None in phases or len(set(phases)) != len(phases):
        listed = ", ".join(map(str, names.values()))
        raise ValueError(
            f"which phases are the channels {listed}? Say [input] channels in model.toml"
        )
    return tuple(str(phase) for phase in phases)


def configuration_of(
    plans: Mapping[str, Any], dataset: Mapping[str, Any], name: str
) -> Configuration:
    """Return a configuration of ``plans.json``.

    Raises
    ------
    ValueError
        It is not there, or needs what is not known here.
    """
    try:
        return _configuration(plans, dataset, _resolved(plans["configurations"], name))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"plans.json does not describe {name}: {error!r}") from error


def _configuration(
    plans: Mapping[str, Any], dataset: Mapping[str, Any], found: Mapping[str, Any]
) -> Configuration:
    if found.get("previous_stage"):
        raise ValueError("cascades, whose second network needs the first, cannot be run")
    if len(found["patch_size"]) != 3:
        raise ValueError("only 3-D configurations can be run")
    reader = dataset.get("overwrite_image_reader_writer") or plans.get("image_reader_writer")
    if reader not in _READERS:
        raise ValueError(f"images read by {reader} are not known")
    schemes = tuple(found["normalization_schemes"])
    for scheme in schemes:
        if scheme not in _NORMALIZATIONS:
            raise ValueError(f"the normalization {scheme} is not known")
    statistics = plans["foreground_intensity_properties_per_channel"]
    a, b, c = plans["transpose_forward"]
    pk, pj, pi = map(int, found["patch_size"])
    sk, sj, si = map(float, found["spacing"])
    return Configuration(
        patch=(pk, pj, pi),
        spacing_mm=(sk, sj, si),
        transpose=(int(a), int(b), int(c)),
        orientation=_READERS[reader],
        normalizations=schemes,
        masked=tuple(map(bool, found["use_mask_for_norm"])),
        intensities=tuple(statistics[str(n)] for n in range(len(schemes))),
        data=_resampling(found, "data"),
        scores=_resampling(found, "probabilities"),
        architecture=found.get("architecture") or _older_architecture(found),
    )


def _resolved(configurations: Mapping[str, Any], name: str, depth: int = 8) -> dict[str, Any]:
    """Return a configuration with what it inherits."""
    found = dict(configurations[name])
    parent = found.pop("inherits_from", None)
    if parent is None:
        return found
    if depth == 0:
        raise ValueError("the configurations inherit from each other")
    return {**_resolved(configurations, parent, depth - 1), **found}


def _resampling(found: Mapping[str, Any], what: str) -> Resampling:
    function = found[f"resampling_fn_{what}"]
    if function not in _RESAMPLERS:
        raise ValueError(f"resampling by {function} is not known")
    options = found[f"resampling_fn_{what}_kwargs"]
    order, order_z = int(options["order"]), int(options["order_z"])
    if order_z not in (0, 1):
        raise ValueError("across slices only orders 0 and 1 are known")
    if what == "probabilities" and order != 1:
        raise ValueError("scores are interpolated linearly only")
    return Resampling(order, order_z, options["force_separate_z"])


def _older_architecture(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the architecture as newer plans write it (TotalSegmentator's are older)."""
    stages = len(found["n_conv_per_stage_encoder"])
    residual = found["UNet_class_name"] == "ResidualEncoderUNet"
    base, most = int(found["UNet_base_num_features"]), int(found["unet_max_num_features"])
    return {
        "network_class_name": found["UNet_class_name"],
        "arch_kwargs": {
            "n_stages": stages,
            "features_per_stage": [min(base * 2**n, most) for n in range(stages)],
            "conv_op": "torch.nn.Conv3d",
            "kernel_sizes": found["conv_kernel_sizes"],
            "strides": found["pool_op_kernel_sizes"],
            "n_blocks_per_stage" if residual else "n_conv_per_stage": found[
                "n_conv_per_stage_encoder"
            ],
            "n_conv_per_stage_decoder": found["n_conv_per_stage_decoder"],
            "conv_bias": True,
            "norm_op": "torch.nn.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
    }
