"""What a small net looks at: saliency, Grad-CAM by hooks, guided backprop, integrated gradients; FGSM and PGD attacks."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

torch.manual_seed(1)


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3, padding=1), nn.ReLU()
        )
        self.dropout = nn.Dropout2d(0.25)
        self.fc = nn.Linear(12 * 5 * 5, 4)

    def forward(self, x):
        x = self.features(x)
        x = self.dropout(F.avg_pool2d(x, 2, ceil_mode=True))
        x = torch.flatten(x, 1)[:, : 12 * 5 * 5]
        return F.log_softmax(self.fc(x), dim=1)


def make(n):
    y = torch.randint(0, 4, (n,))
    x = 0.3 * torch.rand(n, 1, 20, 20)
    for i, k in enumerate(y.tolist()):
        r, c = 10 * (k // 2), 10 * (k % 2)
        x[i, 0, r + 2 : r + 8, c + 2 : c + 8] += 0.4
    return x.clamp(0, 1), y


model = Net()
train_x, train_y = make(96)
optimizer = optim.Adadelta(model.parameters(), lr=0.5)
model.train()
for epoch in range(3):
    for data, target in zip(train_x.split(32), train_y.split(32)):
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.3f}")
model.eval()


# ------------------------------------------------ hooks
class GradCAM:
    def __init__(self, model, target_layer):
        self.model = model
        self.gradients, self.activations = [], []
        self.handles = [
            target_layer.register_forward_hook(self.save_activation),
            target_layer.register_full_backward_hook(self.save_gradient),
        ]

    def save_activation(self, module, input, output):
        self.activations.append(output.cpu().detach())

    def save_gradient(self, module, grad_input, grad_output):
        self.gradients = [grad_output[0].cpu().detach()] + self.gradients

    def __call__(self, x, class_idx=None):
        self.gradients, self.activations = [], []
        logits = self.model(x)
        if class_idx is None:
            class_idx = logits.argmax(dim=1)
        one_hot = F.one_hot(class_idx, logits.shape[1]).to(logits.dtype)
        self.model.zero_grad()
        (one_hot * logits).sum().backward(retain_graph=True)
        alpha = self.gradients[0].mean(dim=(2, 3), keepdim=True)
        cam = F.relu((alpha * self.activations[0]).sum(dim=1, keepdim=True))
        cam = F.interpolate(cam, size=x.shape[2:], mode="bilinear", align_corners=False)
        low, high = cam.amin((2, 3), keepdim=True), cam.amax((2, 3), keepdim=True)
        return (cam - low) / (high - low + 1e-8), class_idx

    def release(self):
        for handle in self.handles:
            handle.remove()


x, y = make(8)
cam = GradCAM(model, model.features[3])
heat, picked = cam(x)
print("grad-cam", heat.shape, f"{heat.mean().item():.4f}", picked.tolist(), y.tolist())
print(cam.gradients[0].shape, f"{cam.gradients[0].abs().mean().item():.6f}")
cam.release()
print(len(model.features[3]._forward_hooks), len(model.features[3]._backward_hooks))

x.requires_grad_()
scores = model(x).gather(1, y.view(-1, 1)).squeeze()
scores.backward(torch.ones_like(scores))
saliency, _ = torch.max(x.grad.data.abs(), dim=1)
print("saliency", saliency.shape, f"{saliency.mean().item():.6f} {saliency.max().item():.5f}")


def relu_hook_function(module, grad_in, grad_out):
    if isinstance(module, nn.ReLU):
        return (torch.clamp(grad_in[0], min=0.0),)


hooks = [m.register_full_backward_hook(relu_hook_function) for m in model.modules() if isinstance(m, nn.ReLU)]
x.grad = None
model(x)[range(8), y].sum().backward()
print("guided", f"{x.grad.abs().mean().item():.6f}", bool((x.grad != 0).any()))
[h.remove() for h in hooks]
shapes = {}
for name, layer in model.named_modules():
    layer.__name__ = name
    layer.register_forward_hook(lambda layer, _, output: shapes.update({layer.__name__: tuple(output.shape)}))
pre = model.fc.register_forward_pre_hook(lambda module, args: (args[0] * 0.5,))
print(f"{model(x).mean().item():.4f}", shapes)
pre.remove()

baseline = torch.zeros_like(x)
total_gradients = 0
for k in range(1, 9):
    point = (baseline + k / 8 * (x.detach() - baseline)).requires_grad_()
    total_gradients = total_gradients + torch.autograd.grad(model(point)[torch.arange(8), y].sum(), point)[0]
attribution = (x.detach() - baseline) * total_gradients / 8
print("integrated", attribution.sum((1, 2, 3))[:4])


# ------------------------------------------------ attacks
def fgsm_attack(image, epsilon, data_grad):
    sign_data_grad = data_grad.sign()
    perturbed_image = image + epsilon * sign_data_grad
    perturbed_image = torch.clamp(perturbed_image, 0, 1)
    return perturbed_image


def test(model, data_and_labels, epsilon):
    correct = 0
    adv_examples = []
    for data, target in data_and_labels:
        data, target = data.unsqueeze(0).clone(), target.unsqueeze(0)
        data.requires_grad = True
        output = model(data)
        init_pred = output.max(1, keepdim=True)[1]
        if init_pred.item() != target.item():
            continue
        loss = F.nll_loss(output, target)
        model.zero_grad()
        loss.backward()
        data_grad = data.grad.data
        output = model(fgsm_attack(data, epsilon, data_grad))
        final_pred = output.max(1, keepdim=True)[1]
        if final_pred.item() == target.item():
            correct += 1
        else:
            adv_ex = output.squeeze().detach().cpu().numpy()
            adv_examples.append((init_pred.item(), final_pred.item(), adv_ex))
    final_acc = correct / float(len(data_and_labels))
    print(f"Epsilon: {epsilon}\tTest Accuracy = {correct} / {len(data_and_labels)} = {final_acc}")
    return final_acc, adv_examples


test_set = list(zip(*make(12)))
for eps in [0, 0.1, 0.2]:
    acc, ex = test(model, test_set, eps)


def pgd(model, X, y, epsilon=0.2, alpha=0.05, num_iter=4):
    delta = torch.zeros_like(X, requires_grad=True)
    for t in range(num_iter):
        loss = nn.CrossEntropyLoss()(model(X + delta), y)
        loss.backward()
        delta.data = (delta + alpha * delta.grad.detach().sign()).clamp(-epsilon, epsilon)
        delta.grad.zero_()
    return delta.detach()


def pgd_l2(model, X, y, epsilon=2.0, alpha=0.8, num_iter=4):
    norms = lambda Z: Z.view(Z.shape[0], -1).norm(dim=1)[:, None, None, None]
    delta = torch.zeros_like(X, requires_grad=True)
    for t in range(num_iter):
        loss = nn.CrossEntropyLoss()(model(X + delta), y)
        loss.backward()
        delta.data += alpha * delta.grad.detach() / norms(delta.grad.detach())
        delta.data = torch.min(torch.max(delta.detach(), -X), 1 - X)
        delta.data *= epsilon / norms(delta.detach()).clamp(min=epsilon)
        delta.grad.zero_()
    return delta.detach()


X, y = x.detach(), y
for attack in (pgd, pgd_l2):
    delta = attack(model, X, y)
    print(attack.__name__, f"{F.nll_loss(model(X + delta), y).item():.3f} {delta.norm().item():.3f}")
