"""What the tests of image layers try, written for any library with PyTorch's names.

`scripts/record_conv.py` runs it on PyTorch and keeps the answers; the tests run it on minigrad and compare. `lib` is
the library; nothing here imports either one.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from layer_cases import answer, fill, inputs, listed, wave

SEEDS = (0, 1337)

# name, positional arguments, keyword arguments: the repr of these is compared, and their state dict's keys
REPRS: list[tuple[str, list, dict]] = [
    ("Conv1d", [2, 4, 3], {}), ("Conv1d", [2, 4, 3, 2, 1], {"dilation": 2, "bias": False}), ("Conv2d", [1, 2, 3], {}),
    ("Conv2d", [2, 4, (3, 2)], {"padding": "same", "groups": 2, "dilation": 2, "padding_mode": "circular"}),
    ("Conv2d", [2, 4, 3], {"stride": (2, 1), "padding": (1, 0), "padding_mode": "reflect"}),
    ("ConvTranspose1d", [2, 4, 3], {"stride": 2, "output_padding": 1}),
    ("ConvTranspose2d", [2, 3, 3], {"stride": 2, "padding": 1, "output_padding": 1, "bias": False}),
    ("MaxPool1d", [3, 2, 1], {"ceil_mode": True}), ("MaxPool2d", [2], {}), ("MaxPool2d", [(2, 3)], {"dilation": 2}),
    ("AvgPool1d", [3], {}), ("AvgPool2d", [3], {"stride": (2, 1), "divisor_override": 4}),
    ("AdaptiveAvgPool1d", [2], {}), ("AdaptiveAvgPool2d", [(None, 3)], {}), ("AdaptiveMaxPool1d", [2], {}),
    ("AdaptiveMaxPool2d", [(2, 3)], {"return_indices": True}), ("BatchNorm1d", [3], {}), ("BatchNorm2d", [3], {}),
    ("BatchNorm2d", [3, 1e-3, None], {"affine": False}), ("BatchNorm1d", [3], {"track_running_stats": False}),
    ("BatchNorm2d", [3], {"bias": False}), ("InstanceNorm1d", [3], {"affine": True}), ("InstanceNorm2d", [3], {}),
    ("InstanceNorm2d", [3], {"track_running_stats": True}), ("GroupNorm", [2, 4], {}),
    ("GroupNorm", [2, 4, 1e-3, False], {}), ("LocalResponseNorm", [5], {"k": 2.0}), ("ChannelShuffle", [2], {}),
    ("PixelShuffle", [2], {}), ("PixelUnshuffle", [2], {}),
    ("Upsample", [], {"scale_factor": 2}), ("Upsample", [(2, 3)], {"mode": "bilinear", "align_corners": True}),
    ("Upsample", [], {"scale_factor": (2, 3.0)}), ("UpsamplingNearest2d", [], {"scale_factor": 2}),
    ("UpsamplingBilinear2d", [4], {}), ("ReflectionPad1d", [(1, 2)], {}), ("ReflectionPad2d", [1], {}),
    ("ReplicationPad1d", [1], {}), ("ReplicationPad2d", [2], {}), ("ConstantPad1d", [2, 0], {}),
    ("ConstantPad2d", [(1, 2, 3, 4), 3.5], {}), ("ZeroPad1d", [1], {}), ("ZeroPad2d", [(1, 2, 3, 4)], {}),
    ("CircularPad1d", [1], {}), ("CircularPad2d", [1], {}), ("Fold", [(4, 5), 2], {"stride": 2}), ("Unfold", [3], {}),
    ("LazyLinear", [3], {}), ("LazyLinear", [3, False], {}), ("LazyConv1d", [4, 3], {}), ("LazyBatchNorm1d", [], {}),
    ("LazyConv2d", [4, 3], {"padding": 1}), ("LazyConvTranspose2d", [4, 3], {}), ("LazyConvTranspose1d", [4, 3], {}),
    ("LazyBatchNorm2d", [], {"affine": False}),
]  # fmt: skip

# name, arguments, keyword arguments: the initial weights under each seed are compared to the bit
INITIAL: dict[str, tuple[str, list, dict]] = {
    "conv1d": ("Conv1d", [3, 4, 3], {}),
    "conv2d": ("Conv2d", [2, 4, (3, 2)], {}),
    "conv2d, groups": ("Conv2d", [4, 6, 3], {"groups": 2, "bias": False}),
    "conv transpose 1d": ("ConvTranspose1d", [3, 2, 4], {}),
    "conv transpose 2d": ("ConvTranspose2d", [3, 4, 2], {"groups": 1}),
    "batch norm": ("BatchNorm2d", [3], {}),
}

# lazy layers, by the shape of their first input: their weights after it under each seed, and their class
LAZY: dict[str, tuple[str, list, dict, tuple[int, ...]]] = {
    "linear": ("LazyLinear", [3], {}, (2, 5)),
    "linear, more dims": ("LazyLinear", [2, False], {}, (2, 3, 4)),
    "conv1d": ("LazyConv1d", [2, 3], {}, (2, 3, 5)),
    "conv2d": ("LazyConv2d", [4, 3], {"groups": 2}, (2, 4, 5, 3)),
    "conv2d, no batch": ("LazyConv2d", [2, 2], {}, (3, 4, 4)),
    "conv transpose 1d": ("LazyConvTranspose1d", [2, 3], {}, (2, 3, 5)),
    "conv transpose 2d": ("LazyConvTranspose2d", [4, 2], {"groups": 2}, (1, 4, 3, 3)),
    "batch norm 1d": ("LazyBatchNorm1d", [], {}, (4, 3)),
    "batch norm 2d": ("LazyBatchNorm2d", [], {"momentum": None}, (2, 3, 2, 2)),
}

IMAGES, LINES = wave(2, 4, 5, 6), wave(2, 4, 7)
# what it is called, class, arguments, keyword arguments, input: outputs and all gradients are compared
FORWARDS: list[tuple[str, str, list, dict, np.ndarray]] = [
    ("conv1d", "Conv1d", [4, 3, 3], {"padding": 1}, LINES),
    ("conv1d, no batch", "Conv1d", [4, 3, 3], {"stride": 2, "bias": False}, LINES[0]),
    ("conv1d, circular", "Conv1d", [4, 3, 4], {"padding": "same", "padding_mode": "circular"}, LINES),
    ("conv2d", "Conv2d", [4, 3, (3, 2)], {"padding": 1, "stride": (2, 1)}, IMAGES),
    ("conv2d, groups", "Conv2d", [4, 6, 3], {"groups": 2, "dilation": (1, 2), "padding": "same"}, IMAGES),
    ("conv2d, reflect", "Conv2d", [4, 2, 3], {"padding": (1, 2), "padding_mode": "reflect"}, IMAGES),
    ("conv2d, replicate", "Conv2d", [4, 2, 2], {"padding": "same", "padding_mode": "replicate"}, IMAGES),
    ("conv2d, no batch", "Conv2d", [4, 2, 3], {"padding": "valid"}, IMAGES[0]),
    ("conv transpose 1d", "ConvTranspose1d", [4, 2, 3], {"stride": 3, "padding": 1, "output_padding": 2}, LINES),
    ("conv transpose 2d", "ConvTranspose2d", [4, 6, 3],
     {"stride": (2, 1), "groups": 2, "output_padding": (1, 0)}, IMAGES),
    ("conv transpose 2d, dilation", "ConvTranspose2d", [4, 2, 2], {"dilation": 2, "padding": 1}, IMAGES[0]),
    ("max pool 1d", "MaxPool1d", [3, 2, 1], {"return_indices": True}, LINES),
    ("max pool 2d", "MaxPool2d", [2], {}, IMAGES),
    ("max pool 2d, overlapping", "MaxPool2d", [3, 2],
     {"padding": 1, "ceil_mode": True, "return_indices": True}, IMAGES),
    ("max pool 2d, dilation", "MaxPool2d", [2, 1], {"dilation": (2, 3)}, IMAGES[0]),
    ("avg pool 1d", "AvgPool1d", [3, 2, 1], {"ceil_mode": True}, LINES),
    ("avg pool 2d", "AvgPool2d", [2, (1, 3)], {"ceil_mode": True}, IMAGES),
    ("avg pool 2d, uncounted", "AvgPool2d", [3, 2, 1], {"count_include_pad": False}, IMAGES),
    ("avg pool 2d, divisor", "AvgPool2d", [3], {"divisor_override": 2}, IMAGES),
    ("adaptive avg 1d", "AdaptiveAvgPool1d", [3], {}, LINES),
    ("adaptive avg 2d", "AdaptiveAvgPool2d", [(3, 4)], {}, IMAGES),
    ("adaptive avg 2d, one", "AdaptiveAvgPool2d", [1], {}, IMAGES),
    ("adaptive avg 2d, more", "AdaptiveAvgPool2d", [(None, 8)], {}, IMAGES),
    ("adaptive max 1d", "AdaptiveMaxPool1d", [3], {"return_indices": True}, LINES),
    ("adaptive max 2d", "AdaptiveMaxPool2d", [(3, 4)], {"return_indices": True}, IMAGES),
    ("adaptive max 2d, even", "AdaptiveMaxPool2d", [(1, 2)], {"return_indices": True}, IMAGES),
    ("batch norm 1d", "BatchNorm1d", [4], {}, LINES), ("batch norm of rows", "BatchNorm1d", [4], {}, wave(5, 4)),
    ("batch norm 2d", "BatchNorm2d", [4, 0.1], {}, IMAGES),
    ("batch norm 2d, plain", "BatchNorm2d", [4], {"affine": False, "track_running_stats": False}, IMAGES),
    ("instance norm 1d", "InstanceNorm1d", [4], {"affine": True}, LINES),
    ("instance norm 2d", "InstanceNorm2d", [4], {}, IMAGES),
    ("instance norm 2d, no batch", "InstanceNorm2d", [4], {"affine": True}, IMAGES[0]),
    ("group norm", "GroupNorm", [2, 4], {}, IMAGES), ("group norm of rows", "GroupNorm", [2, 6, 0.1], {}, wave(3, 6)),
    ("local response norm", "LocalResponseNorm", [3], {"alpha": 0.5, "k": 0.7}, IMAGES),
    ("local response norm of lines", "LocalResponseNorm", [2, 1.0, 0.5], {}, LINES),
    ("channel shuffle", "ChannelShuffle", [2], {}, IMAGES),
    ("channel shuffle of lines", "ChannelShuffle", [4], {}, LINES),
    ("pixel shuffle", "PixelShuffle", [2], {}, IMAGES),
    ("pixel unshuffle", "PixelUnshuffle", [2], {}, IMAGES[..., :4, :]),
    ("upsample", "Upsample", [], {"scale_factor": 2}, IMAGES), ("upsample, a line", "Upsample", [], {"size": 5}, LINES),
    ("upsample, linear", "Upsample", [], {"scale_factor": 1.7, "mode": "linear"}, LINES),
    ("upsample, bilinear", "Upsample", [], {"scale_factor": (1.7, 0.6), "mode": "bilinear"}, IMAGES),
    ("upsample, recomputed", "Upsample", [],
     {"scale_factor": 1.7, "mode": "bilinear", "recompute_scale_factor": True}, IMAGES),
    ("upsample, corners", "UpsamplingBilinear2d", [(3, 8)], {}, IMAGES),
    ("upsample, bicubic", "Upsample", [(7, 4)], {"mode": "bicubic"}, IMAGES),
    ("upsample, bicubic corners", "Upsample", [(7, 4)], {"mode": "bicubic", "align_corners": True}, IMAGES),
    ("upsample, exact", "Upsample", [(4, 9)], {"mode": "nearest-exact"}, IMAGES),
    ("upsample, area", "Upsample", [(3, 4)], {"mode": "area"}, IMAGES),
    ("reflection 1d", "ReflectionPad1d", [(1, 2)], {}, LINES), ("reflection 2d", "ReflectionPad2d", [2], {}, IMAGES),
    ("replication 2d", "ReplicationPad2d", [(1, 2, 0, 3)], {}, IMAGES), ("zeros 2d", "ZeroPad2d", [1], {}, IMAGES),
    ("constant 1d", "ConstantPad1d", [(1, 0), 2.5], {}, LINES), ("constant 2d", "ConstantPad2d", [1, -1.5], {}, IMAGES),
    ("circular 2d", "CircularPad2d", [1], {}, IMAGES),
    ("unfold", "Unfold", [(2, 3)], {"padding": 1, "stride": 2}, IMAGES),
    ("fold", "Fold", [(4, 5), 2], {"stride": (2, 1), "padding": (0, 1)}, wave(2, 8, 12)),
]  # fmt: skip

# norms whose running statistics are followed over three batches, and then used
RUNNING: dict[str, tuple[str, list, dict, tuple[int, ...]]] = {
    "batch norm": ("BatchNorm2d", [3], {}, (2, 3, 2, 3)),
    "batch norm, momentum": ("BatchNorm1d", [3], {"momentum": 0.4, "affine": False}, (4, 3)),
    "batch norm, cumulative": ("BatchNorm1d", [3], {"momentum": None}, (2, 3, 4)),
    "instance norm": ("InstanceNorm2d", [3], {"track_running_stats": True, "affine": True}, (2, 3, 2, 3)),
}

# what is wrong, who is asked, on which words of the answer minigrad and PyTorch agree
ERRORS: list[tuple[str, Callable[[Any], Any], str]] = [
    ("channels", lambda t: t.nn.functional.conv2d(t.zeros(1, 3, 5, 5), t.zeros(4, 2, 3, 3)),
     "Given groups=1, weight of size [4, 2, 3, 3], expected input[1, 3, 5, 5] to have 2 channels, but got 3 channels"),
    ("dims", lambda t: t.nn.functional.conv2d(t.zeros(3, 5), t.zeros(4, 2, 3, 3)),
     "Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [3, 5]"),
    ("dims of a line", lambda t: t.nn.functional.conv1d(t.zeros(5), t.zeros(4, 2, 3)),
     "Expected 2D (unbatched) or 3D (batched) input to conv1d, but got input of size: [5]"),
    ("small image", lambda t: t.nn.functional.conv2d(t.zeros(1, 2, 2, 2), t.zeros(4, 2, 3, 3)),
     "Calculated padded input size per channel: (2 x 2). Kernel size: (3 x 3). Kernel size can't be greater"),
    ("dtype", lambda t: t.nn.functional.conv2d(t.zeros(1, 2, 5, 5).double(), t.zeros(4, 2, 3, 3), t.zeros(4)),
     "should be the same"),
    ("bias", lambda t: t.nn.functional.conv2d(t.zeros(1, 2, 5, 5), t.zeros(4, 2, 3, 3), t.zeros(3)),
     "Given weight of size [4, 2, 3, 3], expected bias to be 1-dimensional with 4 elements, but got bias of size [3]"),
    ("stride", lambda t: t.nn.functional.conv2d(t.zeros(1, 2, 5, 5), t.zeros(4, 2, 3, 3), stride=0),
     "non-positive stride is not supported"),
    ("strides", lambda t: t.nn.functional.conv2d(t.zeros(1, 2, 5, 5), t.zeros(4, 2, 3, 3), stride=(1, 2, 3)),
     "expected stride to be a single integer value or a list of 2 values to match the convolution dimensions, but got"),
    ("padding", lambda t: t.nn.functional.conv2d(t.zeros(1, 2, 5, 5), t.zeros(4, 2, 3, 3), padding=-1),
     "negative padding is not supported"),
    ("padding name", lambda t: t.nn.functional.conv2d(t.zeros(1, 2, 5, 5), t.zeros(4, 2, 3, 3), padding="foo"),
     "Invalid padding string: 'foo'"),
    ("same, strided", lambda t: t.nn.functional.conv2d(t.zeros(1, 2, 5, 5), t.zeros(4, 2, 3, 3), None, 2, "same"),
     "padding='same' is not supported for strided convolutions"),
    ("dilation", lambda t: t.nn.functional.conv2d(t.zeros(1, 2, 5, 5), t.zeros(4, 2, 3, 3), dilation=0),
     "dilation should be greater than zero"),
    ("groups", lambda t: t.nn.functional.conv2d(t.zeros(1, 2, 5, 5), t.zeros(3, 1, 3, 3), groups=2),
     "Given groups=2, expected weight to be divisible by 2 at dimension 0, but got weight of size [[3, 1, 3, 3]]"),
    ("no groups", lambda t: t.nn.functional.conv2d(t.zeros(1, 2, 5, 5), t.zeros(3, 1, 3, 3), groups=0),
     "non-positive groups is not supported"),
    ("transposed channels", lambda t: t.nn.functional.conv_transpose2d(t.zeros(1, 3, 5, 5), t.zeros(4, 2, 3, 3)),
     "Given transposed=1, weight of size [4, 2, 3, 3], expected input[1, 3, 5, 5] to have 4 channels"),
    ("output padding", lambda t: t.nn.functional.conv_transpose2d(
        t.zeros(1, 4, 5, 5), t.zeros(4, 2, 3, 3), output_padding=1),
     "output padding must be smaller than either stride or dilation"),
    ("transposed, small",
     lambda t: t.nn.functional.conv_transpose2d(t.zeros(1, 4, 1, 1), t.zeros(4, 2, 1, 1), padding=3),
     "Given input size per channel: (1 x 1). Calculated output size per channel: (-5 x -5). Output size is too small"),
    ("output size", lambda t: t.nn.ConvTranspose2d(1, 1, 3, 2)(t.zeros(1, 1, 4, 4), output_size=[20, 20]),
     "requested an output size of [20, 20], but valid sizes range from [9, 9] to [10, 10]"),
    ("output sizes", lambda t: t.nn.ConvTranspose2d(1, 1, 3, 2)(t.zeros(1, 1, 4, 4), output_size=[20]),
     "ConvTranspose2D: for 4D input, output_size must have 2 or 4 elements (got 1)"),
    ("layer's in_channels", lambda t: t.nn.Conv2d(3, 4, 3, groups=2), "in_channels must be divisible by groups"),
    ("layer's out_channels", lambda t: t.nn.Conv2d(4, 3, 3, groups=2), "out_channels must be divisible by groups"),
    ("layer's groups", lambda t: t.nn.Conv2d(4, 3, 3, groups=0), "groups must be a positive integer"),
    ("layer's padding",
     lambda t: t.nn.Conv2d(4, 3, 3, padding="foo"),
     "Invalid padding string 'foo', should be one of"),
    ("layer's stride", lambda t: t.nn.Conv2d(4, 3, 3, 2, "same"), "is not supported for strided convolutions"),
    ("layer's mode", lambda t: t.nn.Conv2d(4, 3, 3, padding_mode="foo"), "but got padding_mode='foo'"),
    ("transposed mode", lambda t: t.nn.ConvTranspose2d(4, 3, 3, padding_mode="reflect"),
     'Only "zeros" padding mode is supported for ConvTranspose2d'),
    ("pool: window", lambda t: t.nn.functional.max_pool2d(t.zeros(1, 1, 4, 4), 5),
     "Given input size: (1x4x4). Calculated output size: (1x0x0). Output size is too small"),
    ("pool: padding", lambda t: t.nn.functional.max_pool2d(t.zeros(1, 1, 4, 4), 2, padding=2),
     "pad should be at most half of effective kernel size, but got pad=2, kernel_size=2 and dilation=1"),
    ("pool: stride",
     lambda t: t.nn.functional.max_pool2d(t.zeros(1, 1, 4, 4), 2, stride=0),
     "stride should not be zero"),
    ("pool: sizes", lambda t: t.nn.functional.max_pool2d(t.zeros(1, 1, 4, 4), (2, 2, 2)),
     "max_pool2d: kernel_size must either be a single int, or a tuple of two ints"),
    ("pool: channels", lambda t: t.nn.functional.max_pool2d(t.zeros(1, 0, 4, 4), 2),
     "tensor with optional 0 dim batch size for input, but got:[1, 0, 4, 4]"),
    ("pool: dims", lambda t: t.nn.functional.max_pool1d(t.zeros(1, 1, 1, 4), 2),
     "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got"),
    ("pool: divisor", lambda t: t.nn.functional.avg_pool2d(t.zeros(1, 1, 4, 4), 2, divisor_override=0),
     "divisor must be not zero"),
    ("response norm: dims", lambda t: t.nn.functional.local_response_norm(t.zeros(2, 3), 2),
     "Expected 3D or higher dimensionality"),
    ("channel shuffle: dims", lambda t: t.nn.functional.channel_shuffle(t.zeros(4, 3), 2),
     "channel_shuffle expects input with > 2 dims, but got input with sizes [4, 3]"),
    ("channel shuffle: groups", lambda t: t.nn.functional.channel_shuffle(t.zeros(1, 4, 3), 3),
     "Number of channels must be divisible by groups. Got 4 channels and 3 groups."),
    ("channel shuffle: no groups", lambda t: t.nn.functional.channel_shuffle(t.zeros(1, 4, 3), 0),
     "Number of groups to divide channels in must be positive. Value of groups:0"),
    ("adaptive: sizes", lambda t: t.nn.functional.adaptive_avg_pool2d(t.zeros(1, 1, 4, 4), (2, 3, 4)),
     "adaptive_avg_pool2d: output_size must be 2"),
    ("adaptive: dims", lambda t: t.nn.functional.adaptive_avg_pool2d(t.zeros(4, 4), 2),
     "adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got"),
    ("adaptive: empty", lambda t: t.nn.functional.adaptive_avg_pool2d(t.zeros(1, 1, 0, 4), 2),
     "to have non-zero size for non-batch dimensions, but input has sizes [1, 1, 0, 4] with dimension 2 being empty"),
    ("adaptive: negative", lambda t: t.nn.functional.adaptive_avg_pool2d(t.zeros(1, 1, 4, 4), -1),
     "elements of output_size must be greater than or equal to 0 but received"),
    ("resize: nothing", lambda t: t.nn.functional.interpolate(t.zeros(1, 1, 4, 4)),
     "either size or scale_factor should be defined"),
    ("resize: both", lambda t: t.nn.functional.interpolate(t.zeros(1, 1, 4, 4), size=2, scale_factor=2),
     "only one of size or scale_factor should be defined"),
    ("resize: sizes", lambda t: t.nn.functional.interpolate(t.zeros(1, 1, 4, 4), size=(2, 2, 2)),
     "but got input with spatial dimensions of [4, 4] and output size of (2, 2, 2)"),
    ("resize: scales", lambda t: t.nn.functional.interpolate(t.zeros(1, 1, 4, 4), scale_factor=(2.0, 2.0, 2.0)),
     "dimensions of [4, 4] and scale_factor of shape (2.0, 2.0, 2.0)"),
    ("resize: corners", lambda t: t.nn.functional.interpolate(t.zeros(1, 1, 4, 4), size=8, align_corners=True),
     "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"),
    ("resize: mode", lambda t: t.nn.functional.interpolate(t.zeros(1, 1, 4, 4), size=8, mode="linear"),
     "Got 4D input, but linear mode needs 3D input"),
    ("resize: unknown mode",
     lambda t: t.nn.functional.interpolate(t.zeros(1, 1, 4, 4), size=8, mode="foo"),
     "(got foo)"),
    ("resize: to 0", lambda t: t.nn.functional.interpolate(t.zeros(1, 1, 4, 4), size=0),
     "Input and output sizes should be greater than 0"),
    ("resize: recompute", lambda t: t.nn.functional.interpolate(t.zeros(1, 1, 4, 4), 8, recompute_scale_factor=True),
     "recompute_scale_factor is not meaningful with an explicit size."),
    ("shuffle: channels", lambda t: t.nn.functional.pixel_shuffle(t.zeros(1, 3, 4, 4), 2),
     "to be divisible by the square of upscale_factor, but input.size(-3)=3 is not divisible by 4"),
    ("shuffle: dims", lambda t: t.nn.functional.pixel_shuffle(t.zeros(4, 4), 2),
     "pixel_shuffle expects input to have at least 3 dimensions, but got input with 2 dimension(s)"),
    ("shuffle: factor", lambda t: t.nn.functional.pixel_shuffle(t.zeros(1, 4, 4, 4), 0),
     "pixel_shuffle expects a positive upscale_factor, but got 0"),
    ("unshuffle: height", lambda t: t.nn.functional.pixel_unshuffle(t.zeros(1, 1, 5, 4), 2),
     "pixel_unshuffle expects height to be divisible by downscale_factor, but input.size(-2)=5 is not divisible by 2"),
    ("unfold: kernel", lambda t: t.nn.functional.unfold(t.zeros(1, 1, 4, 4), 5),
     "calculated shape of the array of sliding blocks as (0, 0), but its components must be at least one"),
    ("fold: places", lambda t: t.nn.functional.fold(t.zeros(1, 4, 8), (4, 4), 2),
     "to match the calculated number of sliding blocks 3 * 3 = 9, but got input.size(2)=8."),
    ("fold: rows", lambda t: t.nn.functional.fold(t.zeros(1, 5, 9), (4, 4), 2),
     "to be divisible by the product of kernel_size, but got input.size(1)=5 and kernel_size=(2, 2)."),
    ("batch norm: one value", lambda t: t.nn.BatchNorm1d(3)(t.zeros(1, 3)),
     "Expected more than 1 value per channel when training, got input size torch.Size([1, 3])"),
    ("batch norm: dims", lambda t: t.nn.BatchNorm1d(3)(t.zeros(1, 3, 1, 1)), "expected 2D or 3D input (got 4D input)"),
    ("batch norm: no batch", lambda t: t.nn.BatchNorm2d(3)(t.zeros(1, 3, 1)), "expected 4D input (got 3D input)"),
    ("batch norm: channels", lambda t: t.nn.BatchNorm2d(3)(t.zeros(1, 4, 2, 2)),
     "running_mean should contain 4 elements not 3"),
    ("batch norm: integers", lambda t: t.nn.functional.batch_norm(t.zeros(2, 3).long(), t.zeros(3), t.zeros(3)),
     '"batch_norm" not implemented for'),
    ("batch norm: evaluation", lambda t: t.nn.functional.batch_norm(t.zeros(2, 3), None, None),
     "running_mean must be defined in evaluation mode"),
    ("instance norm: channels", lambda t: t.nn.InstanceNorm2d(3, affine=True)(t.zeros(1, 4, 2, 2)),
     "expected input's size at dim=1 to match num_features (3), but got: 4."),
    ("instance norm: one value", lambda t: t.nn.InstanceNorm2d(3)(t.zeros(1, 3, 1, 1)),
     "Expected more than 1 spatial element when training, got input size torch.Size([1, 3, 1, 1])"),
    ("instance norm: dims", lambda t: t.nn.InstanceNorm2d(3)(t.zeros(3, 2)), "expected 3D or 4D input (got 2D input)"),
    ("group norm: layer", lambda t: t.nn.GroupNorm(2, 3), "num_channels (3) must be divisible by num_groups (2)"),
    ("group norm: channels", lambda t: t.nn.GroupNorm(3, 6)(t.zeros(2, 5, 4)),
     "but got input of shape [2, 5, 4] and num_groups=3"),
    ("group norm: one value", lambda t: t.nn.functional.group_norm(t.zeros(1, 4), 4),
     "Expected more than 1 value per channel when training, got input size [1, 4]"),
    ("lazy: shape", lambda t: t.nn.LazyLinear(3).weight.shape, "Can't access the shape of an uninitialized parameter"),
    ("lazy: number", lambda t: t.nn.LazyLinear(3).weight.numel(), "Attempted to use an uninitialized parameter"),
    ("lazy: sum", lambda t: t.nn.LazyLinear(3).weight + 1, "Attempted to use an uninitialized parameter"),
    ("lazy: forward",
     lambda t: t.nn.LazyLinear(3).forward(t.zeros(2, 2)),
     "Attempted to use an uninitialized parameter"),
    ("lazy: init",
     lambda t: t.nn.init.ones_(t.nn.LazyConv2d(3, 2).bias),
     "Attempted to use an uninitialized parameter"),
    ("lazy: dims", lambda t: t.nn.LazyConv2d(4, 3)(t.zeros(1, 3)),
     "Expected 3D (unbatched) or 4D (batched) input to LazyConv2d, but got input of size: torch.Size([1, 3])"),
    ("lazy: load", lambda t: t.nn.Linear(2, 3).load_state_dict(t.nn.LazyLinear(3).state_dict()),
     "Can't access the shape of an uninitialized parameter"),
]  # fmt: skip


def error(lib: Any, call: Callable[[Any], Any]) -> tuple[str, str]:
    """The type and text of the exception."""
    try:
        call(lib)
    except Exception as problem:
        return type(problem).__name__, str(problem)
    raise AssertionError("no exception")


def build(lib: Any, name: str, args: list, kwargs: dict) -> Any:
    return getattr(lib.nn, name)(*args, **kwargs)


def state(module: Any) -> dict[str, Any]:
    return {name: listed(value) for name, value in module.state_dict().items()}


def initial(lib: Any, name: str, args: list, kwargs: dict, seed: int) -> dict[str, Any]:
    lib.manual_seed(seed)
    return state(build(lib, name, args, kwargs))


def materialized(lib: Any, name: str, args: list, kwargs: dict, shape: tuple, seed: int) -> list[Any]:
    lib.manual_seed(seed)
    module = build(lib, name, args, kwargs)
    before = [type(module).__name__, {name: repr(value) for name, value in module.state_dict().items()}]
    module.eval()(lib.ones(*shape))
    return [*before, repr(module), state(module)]


def forward(lib: Any, name: str, args: list, kwargs: dict, array: np.ndarray) -> dict[str, Any]:
    """Outputs (with indices, where asked for) and gradients."""
    module = fill(lib, build(lib, name, args, kwargs))
    given = inputs(lib, [array])
    out = module(given[0])
    if not isinstance(out, tuple):
        return answer(module, given)
    out, indices = out
    (out * out.detach().cos()).sum().backward()
    return {"outputs": [listed(out), listed(indices)], "by inputs": [listed(given[0].grad)]}


def running(lib: Any, name: str, args: list, kwargs: dict, shape: tuple) -> list[Any]:
    """The buffers after each of three batches, and what the layer gives in evaluation, with gradients."""
    module = fill(lib, build(lib, name, args, kwargs))
    found: list[Any] = []
    for batch in range(3):
        module(lib.from_numpy(wave(*shape, phase=0.3 * batch) * (batch + 1)))
        found.append({key: listed(value) for key, value in module.named_buffers()})
    module.eval()
    found.append(answer(module, inputs(lib, [wave(*shape, phase=0.7)])))
    return found
