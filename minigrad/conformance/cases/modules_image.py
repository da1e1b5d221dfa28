"""Layers of lines and images: convolutions, pooling, norms."""

from minigrad.conformance.cases.modules import case, layers
from minigrad.conformance.exercises import numbers, outcomes

# Convolutions.
layers(
    "Conv1d",
    (lambda nn: nn.Conv1d(2, 3, 2), (2, 2, 4)),
    (lambda nn: nn.Conv1d(2, 2, 3, stride=2, padding=1, groups=2, bias=False), (2, 5)),
    (lambda nn: nn.Conv1d(1, 1, 3, padding="same", padding_mode="circular"), (1, 1, 4)),
    wrong=[[(2, 3, 4)], [(2, 2, 1)], [(4,)]],
    refused=[lambda nn: nn.Conv1d(3, 2, 2, groups=2), lambda nn: nn.Conv1d(1, 1, 2, padding_mode="no")],
)
layers(
    "Conv2d",
    (lambda nn: nn.Conv2d(2, 3, 2), (2, 2, 3, 3)),
    (lambda nn: nn.Conv2d(2, 4, (2, 3), (1, 2), (1, 0), (2, 1), groups=2, bias=False), (1, 2, 3, 4)),
    (lambda nn: nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"), (1, 2, 3)),
    wrong=[[(2, 3, 3, 3)], [(2, 2, 1, 3)], [(2, 2)], [[[[[1, 2], [3, 4]]]]]],
    refused=[
        lambda nn: nn.Conv2d(3, 2, 2, groups=2),
        lambda nn: nn.Conv2d(1, 1, 2, padding="no"),
        lambda nn: nn.Conv2d(1, 1, 2, stride=2, padding="same"),
        lambda nn: nn.Conv2d(1, 1),
        lambda nn: nn.Conv2d(1, 1, 2, groups=0),
    ],
)
layers(
    "ConvTranspose2d",
    (lambda nn: nn.ConvTranspose2d(2, 1, 2), (1, 2, 2, 2)),
    (lambda nn: nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1, output_padding=1, groups=2), (1, 2, 2, 2)),
    wrong=[[(1, 3, 2, 2)], [(2, 2)]],
    refused=[
        lambda nn: nn.ConvTranspose2d(3, 2, 2, groups=2),
        lambda nn: nn.ConvTranspose2d(1, 1, 2, padding_mode="reflect"),
    ],
)
layers(
    "LazyConv2d",
    (lambda nn: nn.LazyConv2d(2, 2), (1, 3, 2, 3)),
    (lambda nn: nn.LazyConv2d(2, 2, stride=2, bias=False), (2, 3, 3)),
    wrong=[[(2, 2)]],
    refused=[lambda nn: nn.LazyConv2d(2), lambda nn: nn.LazyConv2d(2, 2).weight.shape],
)

# Pooling.
layers(
    "MaxPool1d",
    (lambda nn: nn.MaxPool1d(2), (1, 2, 5)),
    (lambda nn: nn.MaxPool1d(3, stride=1, padding=1, dilation=2, ceil_mode=True), (2, 6)),
    (lambda nn: nn.MaxPool1d(2, return_indices=True), (1, 4)),
    wrong=[[(1, 2, 1)], [(4,)]],
)
layers(
    "MaxPool2d",
    (lambda nn: nn.MaxPool2d(2), (1, 2, 3, 4)),
    (lambda nn: nn.MaxPool2d((2, 3), stride=(1, 2), padding=(1, 1), ceil_mode=True), (1, 1, 3, 4)),
    (lambda nn: nn.MaxPool2d(2, return_indices=True), (1, 2, 4)),
    wrong=[[(1, 1, 1, 3)], [(2, 2)]],
)
layers(
    "AvgPool1d",
    (lambda nn: nn.AvgPool1d(2), (1, 2, 5)),
    (lambda nn: nn.AvgPool1d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False), (2, 4)),
    wrong=[[(1, 2, 1)]],
)
layers(
    "AvgPool2d",
    (lambda nn: nn.AvgPool2d(2), (1, 2, 3, 4)),
    (lambda nn: nn.AvgPool2d((2, 3), stride=(1, 2), padding=(1, 1), count_include_pad=False), (1, 1, 3, 4)),
    (lambda nn: nn.AvgPool2d(2, divisor_override=3), (1, 2, 2)),
    wrong=[[(1, 1, 1, 3)]],
)
layers(
    "AdaptiveAvgPool1d", (lambda nn: nn.AdaptiveAvgPool1d(2), (1, 2, 5)), (lambda nn: nn.AdaptiveAvgPool1d(3), (1, 3)),
    wrong=[[(4,)]],
)  # fmt: skip
layers(
    "AdaptiveAvgPool2d",
    (lambda nn: nn.AdaptiveAvgPool2d((2, 3)), (1, 2, 3, 4)),
    (lambda nn: nn.AdaptiveAvgPool2d((None, 1)), (2, 3, 2)),
    (lambda nn: nn.AdaptiveAvgPool2d(1), (1, 2, 2, 2)),
    wrong=[[(4,)]],
)
layers(
    "AdaptiveMaxPool2d",
    (lambda nn: nn.AdaptiveMaxPool2d((2, 3)), (1, 2, 3, 4)),
    (lambda nn: nn.AdaptiveMaxPool2d(1, return_indices=True), (2, 3, 2)),
    wrong=[[(4,)]],
)

# Norms: of batches in both modes (`layer` tells the running numbers and the value in eval mode), then of one sample.
layers(
    "BatchNorm1d",
    (lambda nn: nn.BatchNorm1d(3), (4, 3)),
    (lambda nn: nn.BatchNorm1d(2, eps=0.1, momentum=None, affine=False), (2, 2, 3)),
    (lambda nn: nn.BatchNorm1d(2, track_running_stats=False), (3, 2)),
    wrong=[[(4, 2)], [(1, 3)], [(2, 3, 2, 2)]],
)
layers(
    "BatchNorm2d",
    (lambda nn: nn.BatchNorm2d(2), (2, 2, 2, 2)),
    (lambda nn: nn.BatchNorm2d(2, momentum=0.5), (1, 2, 1, 3)),
    wrong=[[(2, 3, 2, 2)], [(2, 2, 2)], [(1, 2, 1, 1)]],
)
for _name, _shape in (("LazyBatchNorm1d", (4, 3)), ("LazyBatchNorm2d", (2, 2, 2, 2))):
    layers(
        _name,
        (lambda nn, name=_name: getattr(nn, name)(), _shape),
        (lambda nn, name=_name: getattr(nn, name)(affine=False), _shape),
        wrong=[[(1, 1, 1, 1, 1)]],
        refused=[lambda nn, name=_name: getattr(nn, name)().running_mean.shape],
    )
layers(
    "LayerNorm",
    (lambda nn: nn.LayerNorm(3), (4, 3)),
    (lambda nn: nn.LayerNorm((2, 3), eps=0.1, elementwise_affine=False), (2, 2, 3)),
    (lambda nn: nn.LayerNorm(3, bias=False), (3,)),
    wrong=[[(4, 2)]],
)
layers(
    "RMSNorm",
    (lambda nn: nn.RMSNorm(3), (4, 3)),
    (lambda nn: nn.RMSNorm([2, 3], eps=0.1, elementwise_affine=False), (2, 2, 3)),
    wrong=[[(4, 2)]],
)
layers(
    "GroupNorm",
    (lambda nn: nn.GroupNorm(2, 4), (2, 4, 2)),
    (lambda nn: nn.GroupNorm(1, 2, affine=False), (2, 2, 1, 2)),
    wrong=[[(2, 3)]],
    refused=[lambda nn: nn.GroupNorm(2, 3)],
)
layers(
    "InstanceNorm2d",
    (lambda nn: nn.InstanceNorm2d(2), (2, 2, 2, 2)),
    (lambda nn: nn.InstanceNorm2d(2, affine=True, track_running_stats=True), (2, 2, 2, 2)),
    (lambda nn: nn.InstanceNorm2d(2, eps=0.1), (2, 2, 3)),
    wrong=[[(2, 2)], [(1, 2, 1, 1)]],
)


@case("BatchNorm1d", "BatchNorm2d", "LazyBatchNorm1d")
def the_state_of_a_batch_norm(torch):
    nn, x = torch.nn, numbers(torch, 4, 3)
    norm = nn.BatchNorm1d(3)
    told = [norm.state_dict()]
    for scale in (1, 2):
        norm(x * scale)
        told.append([norm.running_mean.clone(), norm.running_var.clone(), norm.num_batches_tracked.clone()])
    other, lazy = nn.BatchNorm1d(3), nn.LazyBatchNorm1d()
    other.load_state_dict(norm.state_dict())
    lazy.load_state_dict(norm.state_dict())
    norm.reset_running_stats()
    return {
        "told": told,
        "loaded": [other.eval()(x), repr(lazy), lazy.running_var, norm.running_mean, norm.num_batches_tracked],
        "errors": outcomes(
            lambda: nn.BatchNorm1d(3)(x[:1]),
            lambda: nn.BatchNorm2d(3)(x),
            lambda: nn.BatchNorm1d(2).load_state_dict(norm.state_dict()),
        ),
    }
