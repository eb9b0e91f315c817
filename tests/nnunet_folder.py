"""A small nnU-Net v2 folder with random weights, in the form its package writes."""

import json
from pathlib import Path

import numpy as np
import torch

from inference.cards import sha256_of
from inference.external.nnunet_networks import UNet, shape_of

INTENSITIES = {
    "mean": 20.0, "std": 90.0, "percentile_00_5": -300.0, "percentile_99_5": 400.0,
    "min": -1000.0, "max": 2000.0, "median": 30.0,
}  # fmt: skip

MANIFEST = """
[model]
id = "{id}"
kind = "nnunet"
title = "Random"
version = "1"
licence = "CC0"
intended_use = "Tests."

[weights]
{files}

[labels]
1 = "liver"
2 = "spleen"

{more}
"""


def architecture(residual: bool) -> dict:
    """Return an architecture of three stages as newer plans describe it."""
    name = "ResidualEncoderUNet" if residual else "PlainConvUNet"
    return {
        "network_class_name": f"dynamic_network_architectures.architectures.unet.{name}",
        "arch_kwargs": {
            "n_stages": 3,
            "features_per_stage": [4, 6, 8],
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
            "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
            "n_blocks_per_stage" if residual else "n_conv_per_stage": [1, 2, 2],
            "n_conv_per_stage_decoder": [1, 2] if residual else [2, 2],
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def older(architecture: dict) -> dict:
    """Return an architecture as older plans, like TotalSegmentator's, describe it."""
    options = architecture["arch_kwargs"]
    return {
        "UNet_class_name": architecture["network_class_name"].rpartition(".")[2],
        "UNet_base_num_features": 4,
        "unet_max_num_features": 8,
        "n_conv_per_stage_encoder": options.get("n_conv_per_stage"),
        "n_conv_per_stage_decoder": options["n_conv_per_stage_decoder"],
        "num_pool_per_axis": [1, 2, 2],
        "pool_op_kernel_sizes": options["strides"],
        "conv_kernel_sizes": options["kernel_sizes"],
    }


def plans(residual=False, old=False, spacing=(2.0, 1.2, 1.2), transpose=(0, 1, 2)) -> dict:
    """Return a ``plans.json``."""
    network = architecture(residual)
    if old:
        network["arch_kwargs"]["features_per_stage"] = [4, 8, 8]
    resampling = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
    configuration = {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": [8, 16, 16],
        "median_image_size_in_voxels": [20.0, 40.0, 40.0],
        "spacing": list(spacing),
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": resampling,
        "resampling_fn_seg_kwargs": {**resampling, "is_seg": True, "order": 1},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": {**resampling, "order": 1},
        "batch_dice": True,
        **(older(network) if old else {"architecture": network}),
    }
    backward = [list(transpose).index(axis) for axis in range(3)]
    return {
        "dataset_name": "Dataset001_Random",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": list(spacing),
        "original_median_shape_after_transp": [20, 40, 40],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": list(transpose),
        "transpose_backward": backward,
        "configurations": {
            "base": configuration,
            "3d_fullres": {"inherits_from": "base"} if not old else configuration,
        },
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": INTENSITIES},
    }


def write_nnunet(folder: Path, *, folds=(0,), mirror=(0, 1, 2), more="", **options) -> Path:
    """Write a folder with a manifest; `options` are those of :func:`plans`."""
    folder.mkdir(parents=True, exist_ok=True)
    document = plans(**options)
    dataset = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "liver": 1, "spleen": 2},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
    (folder / "plans.json").write_text(json.dumps(document))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    network = architecture(options.get("residual", False))
    if options.get("old"):
        network["arch_kwargs"]["features_per_stage"] = [4, 8, 8]
    for fold in folds:
        torch.manual_seed(fold)
        unet = UNet(1, 3, shape_of(network))
        for name, parameter in unet.named_parameters():
            if name.endswith("norm.weight"):
                torch.nn.init.uniform_(parameter, 0.5, 1.5)
        checkpoint = {
            "network_weights": unet.state_dict(),
            "optimizer_state": {"state": {}, "param_groups": []},
            "grad_scaler_state": None,
            # what nnU-Net's own checkpoints hold besides: numbers of numpy
            "logging": {"mean_fg_dice": [np.float64(0.5)], "train_losses": [np.float32(1)]},
            "_best_ema": np.float64(0.25),
            "current_epoch": 1000,
            "init_args": {"configuration": "3d_fullres", "fold": fold},
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": mirror,
        }
        (folder / f"fold_{fold}").mkdir(exist_ok=True)
        torch.save(checkpoint, folder / f"fold_{fold}" / "checkpoint_final.pth")
    write_manifest(folder, more)
    return folder


def write_manifest(folder: Path, more: str = "") -> None:
    """Write the ``model.toml`` of what is in the folder."""
    names = [
        "plans.json",
        "dataset.json",
        *(f"{p.parent.name}/{p.name}" for p in folder.glob("fold_*/*")),
    ]
    files = "\n".join(f'"{name}" = "{sha256_of(folder / name)}"' for name in sorted(names))
    text = MANIFEST.format(id=folder.name, files=files, more=more)
    (folder / "model.toml").write_text(text, "utf-8")
