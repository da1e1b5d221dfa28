"""A variational autoencoder on small pictures: reparametrization, BCE plus KL, transposed convolution, samples."""

import torch
from torch import nn, optim
from torch.nn import functional as F

torch.manual_seed(2)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 4, 4, stride=2, padding=1), nn.LeakyReLU(0.2), nn.Flatten())
        self.fc21 = nn.Linear(64, 5)
        self.fc22 = nn.Linear(64, 5)
        self.fc3 = nn.Linear(5, 64)
        self.decoder = nn.Sequential(
            nn.Unflatten(1, (4, 4, 4)),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1),
            nn.Sigmoid(),
        )

    def encode(self, x):
        h1 = self.encoder(x)
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        return self.decoder(self.fc3(z))

    def forward(self, x):
        mu, logvar = self.encode(x)
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x, reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE, KLD


rows = torch.arange(8).view(1, 8, 1)
columns = torch.arange(8).view(1, 1, 8)
centre = torch.randint(2, 6, (128, 2)).unsqueeze(-1).unsqueeze(-1)
distance = (rows - centre[:, 0]) ** 2 + (columns - centre[:, 1]) ** 2
data = torch.exp(-distance.float() / 3).unsqueeze(1)
model = VAE()
optimizer = optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(1, 6):
    model.train()
    train_loss = 0
    for batch in data.split(16):
        optimizer.zero_grad()
        recon_batch, mu, logvar = model(batch)
        bce, kld = loss_function(recon_batch, batch, mu, logvar)
        loss = bce + kld
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
    print("====> Epoch: {} Average loss: {:.4f} KLD: {:.4f}".format(epoch, train_loss / len(data), kld.item() / 16))
with torch.no_grad():
    sample = model.decode(torch.randn(2, 5)).cpu()
print(sample.shape, sample[0, 0, 2:4, :4])
