"""The networks of nnU-Net v2, with the parameter names of its package.

nnU-Net takes them from the package ``dynamic-network-architectures``. That package requires timm
and with it torchvision, which has no build for the processor-only torch that we pin. So its two
networks are built here, in three dimensions, as their checkpoints need them: every module has the
name it has there (some are registered twice), and state dicts load strictly. A slow test compares
both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

_NORMS = {"InstanceNorm3d": nn.InstanceNorm3d, "BatchNorm3d": nn.BatchNorm3d}
_NONLINEARITIES = {"LeakyReLU": nn.LeakyReLU, "ReLU": nn.ReLU, "GELU": nn.GELU, "SiLU": nn.SiLU}

Size: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True)
class Layers:
    """What all layers of a network share.

    Parameters
    ----------
    bias : bool
        Of convolutions.
    norm, nonlinearity : type or None
        Classes of torch.
    norm_options, nonlinearity_options : mapping
        Their arguments.
    """

    bias: bool
    norm: type[nn.Module] | None
    norm_options: Mapping[str, Any]
    nonlinearity: type[nn.Module] | None
    nonlinearity_options: Mapping[str, Any]


@dataclass(frozen=True)
class Shape:
    """The stages of a network.

    Parameters
    ----------
    residual : bool
        ResidualEncoderUNet, else PlainConvUNet.
    features : sequence of int
        Of each stage, finest first.
    kernels, strides : sequence of tuples of three int
    blocks : sequence of int
        Convolutions, or residual blocks, of each stage.
    decoder_blocks : sequence of int
        Convolutions of each stage of the decoder, coarsest first.
    layers : Layers
    """

    residual: bool
    features: Sequence[int]
    kernels: Sequence[Size]
    strides: Sequence[Size]
    blocks: Sequence[int]
    decoder_blocks: Sequence[int]
    layers: Layers


def shape_of(architecture: Mapping[str, Any]) -> Shape:
    """Return the network that ``architecture`` of a configuration in ``plans.json`` describes.

    Raises
    ------
    ValueError
        A network, layer or dimension that is not known here, or something is missing.
    """
    try:
        return _shape(architecture)
    except (KeyError, TypeError) as error:
        raise ValueError(f"plans.json does not describe the network: {error!r}") from error


def _shape(architecture: Mapping[str, Any]) -> Shape:
    name = str(architecture["network_class_name"]).rpartition(".")[2]
    if name not in ("PlainConvUNet", "ResidualEncoderUNet"):
        raise ValueError(
            f"the network {name} is not known; PlainConvUNet and ResidualEncoderUNet are"
        )
    options = architecture["arch_kwargs"]
    residual = name == "ResidualEncoderUNet"
    stages = int(options["n_stages"])
    if str(options["conv_op"]).rpartition(".")[2] != "Conv3d":
        raise ValueError("only 3-D configurations can be run")
    if options.get("dropout_op") or options.get("bottleneck_channels") or options.get("block"):
        raise ValueError("dropout and bottleneck blocks are not known")
    if options.get("nonlin_first"):
        raise ValueError("layers with the nonlinearity first are not known")
    layers = Layers(
        bias=bool(options.get("conv_bias", False)),
        norm=_class(options.get("norm_op"), _NORMS),
        norm_options=options.get("norm_op_kwargs") or {},
        nonlinearity=_class(options.get("nonlin"), _NONLINEARITIES),
        nonlinearity_options=options.get("nonlin_kwargs") or {},
    )
    blocks = options["n_blocks_per_stage" if residual else "n_conv_per_stage"]
    return Shape(
        residual=residual,
        features=_each(options["features_per_stage"], stages),
        kernels=[_three(kernel) for kernel in _each(options["kernel_sizes"], stages)],
        strides=[_three(stride) for stride in _each(options["strides"], stages)],
        blocks=_each(blocks, stages),
        decoder_blocks=_each(options["n_conv_per_stage_decoder"], stages - 1),
        layers=layers,
    )


def _class(name: str | None, known: Mapping[str, type[nn.Module]]) -> type[nn.Module] | None:
    if name is None:
        return None
    found = known.get(name.rpartition(".")[2])
    if found is None:
        raise ValueError(f"the layer {name} is not known")
    return found


def _each(value: Any, stages: int) -> list[Any]:
    values = list(value) if isinstance(value, list | tuple) else [value] * stages
    if len(values) != stages:
        raise ValueError(f"{len(values)} values for {stages} stages")
    return values


def _three(value: Any) -> Size:
    k, j, i = value if isinstance(value, list | tuple) else [value] * 3
    return int(k), int(j), int(i)


class _ConvNorm(nn.Module):
    """Convolution, normalization and, unless it ends a residual block, nonlinearity."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: Size,
        stride: Size,
        layers: Layers,
        *,
        bias: bool | None = None,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv3d(
            inputs,
            outputs,
            kernel,
            stride,
            padding=((kernel[0] - 1) // 2, (kernel[1] - 1) // 2, (kernel[2] - 1) // 2),
            bias=layers.bias if bias is None else bias,
        )
        modules: list[nn.Module] = [self.conv]
        if layers.norm is not None:
            self.norm = layers.norm(outputs, **layers.norm_options)
            modules.append(self.norm)
        if layers.nonlinearity is not None and not linear:
            self.nonlin = layers.nonlinearity(**layers.nonlinearity_options)
            modules.append(self.nonlin)
        self.all_modules = nn.Sequential(*modules)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.all_modules(x)
        return result


class _Stack(nn.Module):
    """Convolutions of one stage; the first may go to a coarser grid."""

    def __init__(
        self, count: int, inputs: int, outputs: int, kernel: Size, stride: Size, layers: Layers
    ) -> None:
        super().__init__()
        first = _ConvNorm(inputs, outputs, kernel, stride, layers)
        rest = [_ConvNorm(outputs, outputs, kernel, (1, 1, 1), layers) for _ in range(count - 1)]
        self.convs = nn.Sequential(first, *rest)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.convs(x)
        return result


class _ResidualBlock(nn.Module):
    """Two convolutions and a way around them, which averages where they take strides."""

    def __init__(
        self, inputs: int, outputs: int, kernel: Size, stride: Size, layers: Layers
    ) -> None:
        super().__init__()
        one = (1, 1, 1)
        self.conv1 = _ConvNorm(inputs, outputs, kernel, stride, layers)
        self.conv2 = _ConvNorm(outputs, outputs, kernel, one, layers, linear=True)
        self.nonlin2 = (
            layers.nonlinearity(**layers.nonlinearity_options)
            if layers.nonlinearity is not None
            else nn.Identity()
        )
        around: list[nn.Module] = []
        if any(n != 1 for n in stride):
            around.append(nn.AvgPool3d(stride, stride))
        if inputs != outputs:
            around.append(_ConvNorm(inputs, outputs, one, one, layers, bias=False, linear=True))
        self.skip = nn.Sequential(*around)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.nonlin2(self.conv2(self.conv1(x)) + self.skip(x))
        return result


class _ResidualStack(nn.Module):
    """Residual blocks of one stage."""

    def __init__(
        self, count: int, inputs: int, outputs: int, kernel: Size, stride: Size, layers: Layers
    ) -> None:
        super().__init__()
        first = _ResidualBlock(inputs, outputs, kernel, stride, layers)
        rest = [
            _ResidualBlock(outputs, outputs, kernel, (1, 1, 1), layers) for _ in range(count - 1)
        ]
        self.blocks = nn.Sequential(first, *rest)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.blocks(x)
        return result


class _Encoder(nn.Module):
    """Stages from fine to coarse; of the residual network, a stem before them."""

    def __init__(self, inputs: int, shape: Shape) -> None:
        super().__init__()
        self.stem: nn.Module | None = None
        if shape.residual:
            features, kernel = shape.features[0], shape.kernels[0]
            self.stem = _Stack(1, inputs, features, kernel, (1, 1, 1), shape.layers)
            inputs = features
        stages: list[nn.Module] = []
        parts = zip(shape.blocks, shape.features, shape.kernels, shape.strides, strict=True)
        for count, features, kernel, stride in parts:
            if shape.residual:
                stack = _ResidualStack(count, inputs, features, kernel, stride, shape.layers)
                stages.append(stack)
            else:
                plain = _Stack(count, inputs, features, kernel, stride, shape.layers)
                stages.append(nn.Sequential(plain))
            inputs = features
        self.stages = nn.Sequential(*stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        if self.stem is not None:
            x = self.stem(x)
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found


class _Decoder(nn.Module):
    """Stages from coarse to fine. Only the finest gives scores; the others' are for training."""

    def __init__(self, encoder: _Encoder, classes: int, shape: Shape) -> None:
        super().__init__()
        self.encoder = encoder  # not used: the names of its parameters stand here once more
        stages, ups, scores = [], [], []
        for n, count in enumerate(shape.decoder_blocks, 1):
            below, features = shape.features[-n], shape.features[-n - 1]
            stride = shape.strides[-n]
            bias = shape.layers.bias
            ups.append(nn.ConvTranspose3d(below, features, stride, stride, bias=bias))
            kernel = shape.kernels[-n - 1]
            stages.append(_Stack(count, 2 * features, features, kernel, (1, 1, 1), shape.layers))
            scores.append(nn.Conv3d(features, classes, 1, bias=True))
        self.stages = nn.ModuleList(stages)
        self.transpconvs = nn.ModuleList(ups)
        self.seg_layers = nn.ModuleList(scores)

    def forward(self, skips: list[Tensor]) -> Tensor:
        x = skips[-1]
        for up, stage, skip in zip(self.transpconvs, self.stages, skips[-2::-1], strict=True):
            x = stage(torch.cat((up(x), skip), 1))
        result: Tensor = self.seg_layers[-1](x)
        return result


class UNet(nn.Module):
    """PlainConvUNet or ResidualEncoderUNet.

    Parameters
    ----------
    channels, classes : int
    shape : Shape
    """

    def __init__(self, channels: int, classes: int, shape: Shape) -> None:
        super().__init__()
        self.encoder = _Encoder(channels, shape)
        self.decoder = _Decoder(self.encoder, classes, shape)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores ``[batch, class, ...]`` for ``[batch, channel, ...]``."""
        result: Tensor = self.decoder(self.encoder(x))
        return result
