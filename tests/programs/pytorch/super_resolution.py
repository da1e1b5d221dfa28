"""Super resolution by sub-pixel convolution, with orthogonal weights and PSNR; then a denoising autoencoder."""

from math import log10

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.nn.init as init
import torch.optim as optim
from torch.utils.data import DataLoader
from torch.utils.data.dataset import Dataset


class Net(nn.Module):
    def __init__(self, upscale_factor):
        super(Net, self).__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(1, 16, (5, 5), (1, 1), (2, 2))
        self.conv2 = nn.Conv2d(16, 16, (3, 3), (1, 1), (1, 1))
        self.conv3 = nn.Conv2d(16, 8, (3, 3), (1, 1), (1, 1))
        self.conv4 = nn.Conv2d(8, upscale_factor**2, (3, 3), (1, 1), (1, 1))
        self.pixel_shuffle = nn.PixelShuffle(upscale_factor)
        self._initialize_weights()

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        x = self.relu(self.conv3(x))
        x = self.pixel_shuffle(self.conv4(x))
        return x

    def _initialize_weights(self):
        init.orthogonal_(self.conv1.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv2.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv3.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv4.weight)


class WavesFromFunction(Dataset):
    """Waves at full resolution, and what is left of them after averaging."""

    def __init__(self, n, size, upscale_factor, transform=None):
        super(WavesFromFunction, self).__init__()
        grid = torch.linspace(0, 6.2832, size)
        a, b = torch.rand(2, n, 1, 1) * 3
        self.targets = 0.5 + 0.25 * torch.sin(a * grid[:, None]) + 0.25 * torch.cos(b * grid[None, :])
        self.upscale_factor = upscale_factor
        self.transform = transform

    def __getitem__(self, index):
        target = self.targets[index].unsqueeze(0)
        input = F.avg_pool2d(target, self.upscale_factor)
        if self.transform:
            input = self.transform(input)
        return input, target

    def __len__(self):
        return len(self.targets)


def train(epoch):
    epoch_loss = 0
    for iteration, batch in enumerate(training_data_loader, 1):
        input, target = batch[0].to(device), batch[1].to(device)
        optimizer.zero_grad()
        loss = criterion(model(input), target)
        epoch_loss += loss.item()
        loss.backward()
        optimizer.step()
        if iteration % 2 == 0:
            print(
                "===> Epoch[{}]({}/{}): Loss: {:.4f}".format(epoch, iteration, len(training_data_loader), loss.item())
            )
    print("===> Epoch {} Complete: Avg. Loss: {:.4f}".format(epoch, epoch_loss / len(training_data_loader)))


def test():
    avg_psnr = 0
    with torch.no_grad():
        for batch in testing_data_loader:
            input, target = batch[0].to(device), batch[1].to(device)
            prediction = model(input)
            mse = criterion(prediction, target)
            psnr = 10 * log10(1 / mse.item())
            avg_psnr += psnr
    print("===> Avg. PSNR: {:.4f} dB".format(avg_psnr / len(testing_data_loader)))


torch.manual_seed(123)
device = torch.device("cpu")
train_set = WavesFromFunction(32, 24, 3)
test_set = WavesFromFunction(8, 24, 3, transform=lambda x: x.clamp_(0, 1))
training_data_loader = DataLoader(dataset=train_set, num_workers=0, batch_size=8, shuffle=True)
testing_data_loader = DataLoader(dataset=test_set, num_workers=0, batch_size=4, shuffle=False)
model = Net(upscale_factor=3).to(device)
w = model.conv2.weight.detach().flatten(1)
print("orthogonal", torch.allclose(w @ w.T, 2 * torch.eye(16), atol=1e-5), model.pixel_shuffle)
criterion = nn.MSELoss()
optimizer = optim.Adam(model.parameters(), lr=0.003)
for epoch in range(1, 3):
    train(epoch)
    test()
baseline = sum(F.mse_loss(F.interpolate(x, scale_factor=3, mode="bicubic"), y).item() for x, y in testing_data_loader)
print(f"bicubic {10 * log10(2 / baseline):.4f} dB")


class ConvDenoiser(nn.Module):
    def __init__(self):
        super(ConvDenoiser, self).__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2, 2, return_indices=True)
        self.t_conv1 = nn.ConvTranspose2d(4, 8, 2, stride=2)
        self.conv_out = nn.Conv2d(8, 1, 3, padding=1, padding_mode="reflect")

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x, indices = self.pool(x)
        x = F.relu(self.conv2(x))
        x = F.relu(self.t_conv1(x))
        x = torch.sigmoid(self.conv_out(x))
        return x, indices


noise_factor = 0.3
model = ConvDenoiser()
print(model)
criterion = nn.MSELoss()
optimizer = torch.optim.Adamax(model.parameters(), lr=0.01)
for epoch in range(1, 4):
    train_loss = 0.0
    for images in train_set.targets.unsqueeze(1).split(16):
        noisy_imgs = images + noise_factor * torch.randn(*images.shape)
        noisy_imgs = torch.clip(noisy_imgs, 0.0, 1.0)
        optimizer.zero_grad()
        outputs, indices = model(noisy_imgs)
        loss = criterion(outputs, images) + 1e-4 * sum(w.abs().sum() for w in model.conv2.parameters())
        loss.backward()
        optimizer.step()
        train_loss += loss.item() * images.size(0)
    print("Epoch: {} \tTraining Loss: {:.6f}".format(epoch, train_loss / len(train_set)))
print(indices.shape, indices.dtype, indices[0, 0, 0, :2].tolist())
