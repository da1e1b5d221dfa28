"""Hooks: activations kept, gradients watched, changed and scaled; Grad-CAM, saliency, guided backpropagation, receptive field."""

from collections import OrderedDict
from functools import partial

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(8)


class SmallNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 6, 3, padding=1),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(6, 8, 3, padding=1),
                relu2=nn.ReLU(),
            )
        )
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = self.features(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        return self.fc(x)


model = SmallNet()
image = torch.rand(1, 3, 12, 12)

# 1. what every layer puts out
activation = {}


def get_activation(name):
    def hook(model, input, output):
        activation[name] = output.detach()

    return hook


handles = [m.register_forward_hook(get_activation(n)) for n, m in model.named_modules() if not list(m.children())]
model(image)
for name, value in activation.items():
    print(f"{name:18s} {str(tuple(value.shape)):16s} mean {value.mean():.5f} dead {(value == 0).float().mean():.4f}")
for h in handles:
    h.remove()


# 2. a summary as the well-known package prints one
def summary(model, x):
    rows = []

    def register(name, module):
        def hook(module, input, output):
            params = sum(p.numel() for p in module.parameters(recurse=False))
            rows.append((f"{type(module).__name__}-{len(rows) + 1}", list(output.size()), params))

        if not isinstance(module, (nn.Sequential, SmallNet)):
            return module.register_forward_hook(hook)

    hooks = [h for name, module in model.named_modules() if (h := register(name, module))]
    model(x)
    for h in hooks:
        h.remove()
    print("-" * 56)
    for name, shape, params in rows:
        print("{:>20}  {:>24} {:>8}".format(name, str(shape), "{0:,}".format(params)))
    print("Total params: {0:,}".format(sum(r[2] for r in rows)))


summary(model, image)


# 3. Grad-CAM: gradients of a class at the last convolution
class GradCam:
    def __init__(self, model, target_layer):
        self.model = model
        self.gradients = None
        self.activations = None
        target_layer.register_forward_hook(self.forward_hook)
        target_layer.register_full_backward_hook(self.backward_hook)

    def forward_hook(self, module, input, output):
        self.activations = output

    def backward_hook(self, module, grad_input, grad_output):
        self.gradients = grad_output[0]

    def __call__(self, x, class_idx=None):
        logit = self.model(x)
        score = logit[:, logit.max(1)[-1]].squeeze() if class_idx is None else logit[:, class_idx].squeeze()
        self.model.zero_grad()
        score.backward()
        b, k, u, v = self.gradients.size()
        alpha = self.gradients.view(b, k, -1).mean(2)
        weights = alpha.view(b, k, 1, 1)
        saliency_map = F.relu((weights * self.activations).sum(1, keepdim=True))
        saliency_map = F.interpolate(saliency_map, size=x.shape[2:], mode="bilinear", align_corners=False)
        low, high = saliency_map.min(), saliency_map.max()
        return (saliency_map - low).div(high - low).data, logit


cam, logit = GradCam(model, model.features.conv2)(image)
print(cam.shape, f"{cam.mean():.4f} {cam.std():.4f}", logit.argmax().item(), cam[0, 0, 5, :4])

# 4. guided backpropagation: gradients changed on their way
handles = []
for module in model.modules():
    if isinstance(module, nn.ReLU):
        handles.append(module.register_full_backward_hook(lambda m, gin, gout: (torch.clamp(gin[0], min=0.0),)))
x = image.clone().requires_grad_()
model(x)[0, 1].backward()
guided = x.grad.clone()
for h in handles:
    h.remove()
x.grad = None
model(x)[0, 1].backward()
print(f"guided {guided.abs().sum():.5f} plain {x.grad.abs().sum():.5f}", x.grad.abs().amax(dim=1)[0, 6, :4])

# 5. hooks of tensors: watched, clipped, replaced; and inner gradients kept
w = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
log = []
h1 = w.register_hook(lambda grad: log.append(grad.norm().item()))
h2 = w.register_hook(lambda grad: grad.clamp(-5, 5))
inner = w * 4
inner.retain_grad()
inner.register_hook(lambda grad: grad * 0.5)
loss = (inner**2).sum()
loss.backward()
print(w.grad, inner.grad, [round(v, 4) for v in log], w.is_leaf, inner.is_leaf)
h1.remove()
w.grad = None
(w**3).sum().backward()
print(w.grad, len(log))

# 6. a forward pre-hook that changes the input, a forward hook that changes the output
layer = nn.Linear(3, 2)
layer.register_forward_pre_hook(lambda m, args: (args[0] / args[0].norm(dim=-1, keepdim=True),))
handle = layer.register_forward_hook(lambda m, args, kwargs, out: out * 2, with_kwargs=True)
print(layer(torch.ones(1, 3)))
handle.remove()
print(layer(torch.ones(1, 3)))


# 7. gradient norms per layer in training, and weight norms through a parametrized closure
def log_norm(store, name, grad):
    store.setdefault(name, []).append(grad.norm().item())


norms = {}
for name, p in model.named_parameters():
    if p.requires_grad:
        p.register_hook(partial(log_norm, norms, name))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(4):
    loss = F.cross_entropy(model(torch.rand(8, 3, 12, 12)), torch.randint(5, (8,)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
for name, _ in model.named_parameters():
    print(f"{name:24s}", " ".join(f"{v:.4f}" for v in norms[name]))

# 8. receptive field of one output, by gradient
with torch.no_grad():
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            m.weight.fill_(1.0)
            m.bias.zero_()
x = torch.ones(1, 3, 12, 12, requires_grad=True)
model.features(x)[0, 0, 2, 2].backward()
seen = (x.grad[0, 0] != 0).nonzero()
print("receptive field from", seen.min(0).values.tolist(), "to", seen.max(0).values.tolist())

# 9. global hook on modules
count = {}
handle = nn.modules.module.register_module_forward_hook(
    lambda m, i, o: count.__setitem__(type(m).__name__, count.get(type(m).__name__, 0) + 1)
)
model(image)
handle.remove()
model(image)
print(count)

# 10. integrated gradients and smoothed ones
baseline = torch.zeros_like(image)
total = torch.zeros_like(image)
for alpha in torch.linspace(0, 1, 9):
    x = (baseline + alpha * (image - baseline)).requires_grad_()
    (g,) = torch.autograd.grad(model(x)[:, 2].sum(), x)
    total += g / 9
attribution = (image - baseline) * total
print(f"{attribution.sum().item():.3f} {(model(image)[0, 2] - model(baseline)[0, 2]).item():.3f}")
