"""Regressions, nearest neighbours and clusters from scratch, in the manner of a textbook's first chapters."""

import math
import random

import torch

torch.manual_seed(0)
random.seed(0)


# ------------------------------------------------ linear regression on synthetic data
def synthetic_data(w, b, num_examples):
    X = torch.normal(0, 1, (num_examples, len(w)))
    y = torch.matmul(X, w) + b
    y += torch.normal(0, 0.01, y.shape)
    return X, y.reshape((-1, 1))


def data_iter(batch_size, features, labels):
    num_examples = len(features)
    indices = list(range(num_examples))
    random.shuffle(indices)
    for i in range(0, num_examples, batch_size):
        batch_indices = torch.tensor(indices[i : min(i + batch_size, num_examples)])
        yield features[batch_indices], labels[batch_indices]


def linreg(X, w, b):
    return torch.matmul(X, w) + b


def squared_loss(y_hat, y):
    return (y_hat - y.reshape(y_hat.shape)) ** 2 / 2


def sgd(params, lr, batch_size):
    with torch.no_grad():
        for param in params:
            param -= lr * param.grad / batch_size
            param.grad.zero_()


true_w = torch.tensor([2, -3.4])
true_b = 4.2
features, labels = synthetic_data(true_w, true_b, 300)
w = torch.normal(0, 0.01, size=(2, 1), requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for epoch in range(3):
    for X, y in data_iter(10, features, labels):
        l = squared_loss(linreg(X, w, b), y)
        l.sum().backward()
        sgd([w, b], 0.03, 10)
    with torch.no_grad():
        train_l = squared_loss(linreg(features, w, b), labels)
        print(f"epoch {epoch + 1}, loss {float(train_l.mean()):f}")
print(f"error in estimating w: {true_w - w.reshape(true_w.shape)}")
print(f"error in estimating b: {true_b - b}")
print(w, b)


# ------------------------------------------------ softmax regression
def softmax(X):
    X_exp = torch.exp(X)
    partition = X_exp.sum(1, keepdim=True)
    return X_exp / partition


def cross_entropy(y_hat, y):
    return -torch.log(y_hat[range(len(y_hat)), y])


def accuracy(y_hat, y):
    if len(y_hat.shape) > 1 and y_hat.shape[1] > 1:
        y_hat = y_hat.argmax(axis=1)
    cmp = y_hat.type(y.dtype) == y
    return float(cmp.type(y.dtype).sum())


class Accumulator:
    def __init__(self, n):
        self.data = [0.0] * n

    def add(self, *args):
        self.data = [a + float(b) for a, b in zip(self.data, args)]

    def reset(self):
        self.data = [0.0] * len(self.data)

    def __getitem__(self, idx):
        return self.data[idx]


y = torch.tensor([0, 2])
y_hat = torch.tensor([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]])
print(y_hat[[0, 1], y], cross_entropy(y_hat, y), accuracy(y_hat, y) / len(y))
centres = torch.normal(0, 2, (4, 6))
labels = torch.randint(4, (200,))
features = centres[labels] + torch.normal(0.0, 1.0, (200, 6))
W = torch.normal(0, 0.01, size=(6, 4), requires_grad=True)
b = torch.zeros(4, requires_grad=True)
for epoch in range(3):
    metric = Accumulator(3)
    for X, y in data_iter(20, features, labels):
        y_hat = softmax(torch.matmul(X.reshape((-1, W.shape[0])), W) + b)
        l = cross_entropy(y_hat, y)
        l.sum().backward()
        sgd([W, b], 0.1, X.shape[0])
        metric.add(l.sum().detach(), accuracy(y_hat, y), y.numel())
    print(f"loss {metric[0] / metric[2]:.4f}, train acc {metric[1] / metric[2]:.3f}")


# ------------------------------------------------ a net with dropout by hand
def dropout_layer(X, dropout):
    assert 0 <= dropout <= 1
    if dropout == 1:
        return torch.zeros_like(X)
    mask = (torch.rand(X.shape) > dropout).float()
    return mask * X / (1.0 - dropout)


X = torch.arange(16, dtype=torch.float32).reshape((2, 8))
print(dropout_layer(X, 0.0), dropout_layer(X, 0.5), dropout_layer(X, 1.0), sep="\n")
W1 = torch.nn.Parameter(torch.randn(6, 16, requires_grad=True) * 0.3)
b1 = torch.nn.Parameter(torch.zeros(16, requires_grad=True))
W2 = torch.nn.Parameter(torch.randn(16, 4, requires_grad=True) * 0.3)
updater = torch.optim.SGD([W1, b1, W2], lr=0.2)
for X, y in data_iter(40, features, labels):
    H = torch.max(X @ W1 + b1, torch.zeros_like(X @ W1))
    l = cross_entropy(softmax(dropout_layer(H, 0.2) @ W2), y).mean() + 1e-3 * torch.sum(W2.pow(2)) / 2
    updater.zero_grad()
    l.backward()
    updater.step()
print(f"dropout net {l.item():.4f}")


# ------------------------------------------------ logistic regression by Newton's method
def sigmoid(z):
    return 1 / (1 + torch.exp(-z))


X = torch.cat([torch.ones(200, 1), features[:, :2]], dim=1).double()
t = (labels % 2).double()
beta = torch.zeros(3, dtype=torch.float64)
for it in range(4):
    p = sigmoid(X @ beta)
    H = X.t() @ ((p * (1 - p)).unsqueeze(1) * X)
    beta += torch.linalg.solve(H, X.t() @ (t - p))
    nll = -(t * torch.log(p) + (1 - t) * torch.log(1 - p)).sum()
    print(f"newton {it} nll {nll:.6f}")
print(beta, torch.linalg.inv(H).diag().sqrt())


# ------------------------------------------------ k-means and nearest neighbours
def kmeans(X, k, iters=5):
    centroids = X[torch.randperm(X.size(0))[:k]]
    for i in range(iters):
        dist = ((X.unsqueeze(1) - centroids.unsqueeze(0)) ** 2).sum(-1)
        assign = dist.argmin(dim=1)
        for j in range(k):
            if (assign == j).any():
                centroids[j] = X[assign == j].mean(dim=0)
    inertia = dist.min(dim=1).values.sum()
    return centroids, assign, inertia


centroids, assign, inertia = kmeans(features, 4)
print(torch.bincount(assign, minlength=4), inertia)
print(centroids[:, :2])
train_X, test_X, train_y, test_y = features[:150], features[150:], labels[:150], labels[150:]
dists = torch.cdist(test_X, train_X, p=2)
print(dists.mean(), torch.norm(test_X[0] - train_X[0]) - dists[0, 0] < 1e-5)
values, idx = dists.topk(5, largest=False)
votes = train_y[idx]
pred = torch.mode(votes, dim=1).values
print((pred == test_y).float().mean(), values[0])
kernel = torch.exp(-(dists**2) / (2 * 1.5**2))
attention = kernel / kernel.sum(1, keepdim=True)
print(
    (attention @ train_X[:, :1])[:3].squeeze(1),
    -(attention * attention.clamp(min=1e-9).log()).sum(1).mean() / math.log(150),
)

# ------------------------------------------------ principal components
Xc = features - features.mean(0)
U, s, Vh = torch.linalg.svd(Xc, full_matrices=False)
cov = Xc.T @ Xc / (len(Xc) - 1)
eig = torch.linalg.eigvalsh(cov)
print(s**2 / (len(Xc) - 1), eig.flip(0))
print(torch.allclose(U @ torch.diag(s) @ Vh, Xc, atol=1e-4), (Xc @ Vh[:2].T).var(0), torch.cov(Xc.T).trace())
