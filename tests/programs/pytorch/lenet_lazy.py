"""LeNet by lazy layers in the manner of a textbook: a data module, a trainer, init by `apply`, batch norm by hand."""

import inspect

import torch
from torch import nn


class HyperParameters:
    def save_hyperparameters(self, ignore=[]):
        frame = inspect.currentframe().f_back
        _, _, _, local_vars = inspect.getargvalues(frame)
        self.hparams = {
            k: v for k, v in local_vars.items() if k not in set(ignore + ["self"]) and not k.startswith("_")
        }
        for k, v in self.hparams.items():
            setattr(self, k, v)


class PatternData(HyperParameters):
    """Ten kinds of stripes in noise."""

    def __init__(self, num_train=192, num_val=64, batch_size=32, resize=(16, 16)):
        self.save_hyperparameters()
        n = num_train + num_val
        self.y = torch.randint(0, 10, (n,))
        rows, cols = torch.meshgrid(torch.arange(resize[0]), torch.arange(resize[1]), indexing="ij")
        freq = (self.y % 5 + 1).reshape(-1, 1, 1) * 0.4
        angle = torch.where((self.y < 5).reshape(-1, 1, 1), rows, cols)
        self.X = torch.sin(freq * angle).unsqueeze(1) + 0.3 * torch.randn(n, 1, *resize)

    def get_tensorloader(self, tensors, train, indices=slice(0, None)):
        tensors = tuple(a[indices] for a in tensors)
        dataset = torch.utils.data.TensorDataset(*tensors)
        return torch.utils.data.DataLoader(dataset, self.batch_size, shuffle=train)

    def train_dataloader(self):
        return self.get_tensorloader((self.X, self.y), True, slice(0, self.num_train))

    def val_dataloader(self):
        return self.get_tensorloader((self.X, self.y), False, slice(self.num_train, None))


class Classifier(nn.Module, HyperParameters):
    def forward(self, X):
        return self.net(X)

    def loss(self, Y_hat, Y, averaged=True):
        Y_hat = Y_hat.reshape((-1, Y_hat.shape[-1]))
        Y = Y.reshape((-1,))
        return nn.functional.cross_entropy(Y_hat, Y, reduction="mean" if averaged else "none")

    def accuracy(self, Y_hat, Y, averaged=True):
        Y_hat = Y_hat.reshape((-1, Y_hat.shape[-1]))
        preds = Y_hat.argmax(axis=1).type(Y.dtype)
        compare = (preds == Y.reshape(-1)).type(torch.float32)
        return compare.mean() if averaged else compare

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)

    def layer_summary(self, X_shape):
        X = torch.randn(*X_shape)
        for layer in self.net:
            X = layer(X)
            print(layer.__class__.__name__, "output shape:\t", X.shape)

    def apply_init(self, inputs, init=None):
        self.forward(*inputs)
        if init is not None:
            self.net.apply(init)


def init_cnn(module):
    if type(module) == nn.Linear or type(module) == nn.Conv2d:
        nn.init.xavier_uniform_(module.weight)


class LeNet(Classifier):
    def __init__(self, lr=0.1, num_classes=10):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.LazyConv2d(6, kernel_size=5, padding=2),
            nn.Sigmoid(),
            nn.AvgPool2d(kernel_size=2, stride=2),
            nn.LazyConv2d(16, kernel_size=5),
            nn.Sigmoid(),
            nn.AvgPool2d(kernel_size=2, stride=2),
            nn.Flatten(),
            nn.LazyLinear(120),
            nn.Sigmoid(),
            nn.LazyLinear(84),
            nn.Sigmoid(),
            nn.LazyLinear(num_classes),
        )


class BNLeNet(Classifier):
    def __init__(self, lr=0.1, num_classes=10):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.LazyConv2d(6, kernel_size=5),
            nn.LazyBatchNorm2d(),
            nn.Sigmoid(),
            nn.AvgPool2d(kernel_size=2, stride=2),
            nn.LazyConv2d(16, kernel_size=3),
            nn.LazyBatchNorm2d(),
            nn.Sigmoid(),
            nn.AvgPool2d(kernel_size=2, stride=2),
            nn.Flatten(),
            nn.LazyLinear(120),
            nn.LazyBatchNorm1d(),
            nn.Sigmoid(),
            nn.LazyLinear(84),
            nn.LazyBatchNorm1d(),
            nn.Sigmoid(),
            nn.LazyLinear(num_classes),
        )


def batch_norm(X, gamma, beta, moving_mean, moving_var, eps, momentum):
    if not torch.is_grad_enabled():
        X_hat = (X - moving_mean) / torch.sqrt(moving_var + eps)
    else:
        assert len(X.shape) in (2, 4)
        if len(X.shape) == 2:
            mean = X.mean(dim=0)
            var = ((X - mean) ** 2).mean(dim=0)
        else:
            mean = X.mean(dim=(0, 2, 3), keepdim=True)
            var = ((X - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
        X_hat = (X - mean) / torch.sqrt(var + eps)
        moving_mean = (1.0 - momentum) * moving_mean + momentum * mean
        moving_var = (1.0 - momentum) * moving_var + momentum * var
    Y = gamma * X_hat + beta
    return Y, moving_mean.data, moving_var.data


class BatchNorm(nn.Module):
    def __init__(self, num_features, num_dims):
        super().__init__()
        shape = (1, num_features) if num_dims == 2 else (1, num_features, 1, 1)
        self.gamma = nn.Parameter(torch.ones(shape))
        self.beta = nn.Parameter(torch.zeros(shape))
        self.moving_mean = torch.zeros(shape)
        self.moving_var = torch.ones(shape)

    def forward(self, X):
        if self.moving_mean.device != X.device:
            self.moving_mean = self.moving_mean.to(X.device)
            self.moving_var = self.moving_var.to(X.device)
        Y, self.moving_mean, self.moving_var = batch_norm(
            X, self.gamma, self.beta, self.moving_mean, self.moving_var, eps=1e-5, momentum=0.1
        )
        return Y


class BNLeNetScratch(Classifier):
    def __init__(self, lr=0.1, num_classes=10):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.LazyConv2d(6, kernel_size=5),
            BatchNorm(6, num_dims=4),
            nn.Sigmoid(),
            nn.AvgPool2d(kernel_size=2, stride=2),
            nn.Flatten(),
            nn.LazyLinear(120),
            BatchNorm(120, num_dims=2),
            nn.Sigmoid(),
            nn.LazyLinear(num_classes),
        )


class Trainer(HyperParameters):
    def __init__(self, max_epochs, gradient_clip_val=0):
        self.save_hyperparameters()

    def fit(self, model, data):
        self.model, self.optim = model, model.configure_optimizers()
        self.train_dataloader, self.val_dataloader = data.train_dataloader(), data.val_dataloader()
        for self.epoch in range(self.max_epochs):
            self.fit_epoch()

    def fit_epoch(self):
        self.model.train()
        train_loss = []
        for batch in self.train_dataloader:
            loss = self.model.loss(self.model(*batch[:-1]), batch[-1])
            self.optim.zero_grad()
            with torch.no_grad():
                loss.backward()
                if self.gradient_clip_val > 0:
                    self.clip_gradients(self.gradient_clip_val, self.model)
                self.optim.step()
            train_loss.append(loss.item())
        self.model.eval()
        val_loss, val_acc = [], []
        for batch in self.val_dataloader:
            with torch.no_grad():
                Y_hat = self.model(*batch[:-1])
                val_loss.append(self.model.loss(Y_hat, batch[-1]))
                val_acc.append(self.model.accuracy(Y_hat, batch[-1]))
        print(
            f"epoch {self.epoch + 1}: train_loss {sum(train_loss) / len(train_loss):.4f}, "
            f"val_loss {torch.stack(val_loss).mean():.4f}, val_acc {torch.stack(val_acc).mean():.4f}"
        )

    def clip_gradients(self, grad_clip_val, model):
        params = [p for p in model.parameters() if p.requires_grad]
        norm = torch.sqrt(sum(torch.sum((p.grad**2)) for p in params))
        if norm > grad_clip_val:
            for param in params:
                param.grad[:] *= grad_clip_val / norm


torch.manual_seed(1)
data = PatternData()
model = LeNet()
print(model)
model.layer_summary((1, 1, 16, 16))
model.apply_init([next(iter(data.train_dataloader()))[0]], init_cnn)
print({k: v for k, v in model.hparams.items()}, sum(p.numel() for p in model.parameters()))
Trainer(max_epochs=1).fit(model, data)

model = BNLeNet(lr=0.1)
model.apply_init([next(iter(data.train_dataloader()))[0]], init_cnn)
print(model.net[1], model.net[10])
Trainer(max_epochs=2).fit(model, data)
print(model.net[1].running_mean, model.net[1].num_batches_tracked)

model = BNLeNetScratch(lr=0.1)
model.apply_init([next(iter(data.train_dataloader()))[0]], init_cnn)
Trainer(max_epochs=2, gradient_clip_val=1).fit(model, data)
print(model.net[1].gamma.reshape((-1,)), model.net[1].beta.reshape((-1,)))
