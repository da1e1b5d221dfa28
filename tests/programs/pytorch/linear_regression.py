"""Linear regression with SGD, a schedule, and a polynomial fitted to the sine."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.autograd import Variable
from torch.optim.lr_scheduler import StepLR

torch.manual_seed(1)
x_train = np.array([[3.3], [4.4], [5.5], [6.71], [6.93], [4.168], [9.779], [6.182], [7.59], [2.167]], dtype=np.float32)
y_train = np.array(
    [[1.7], [2.76], [2.09], [3.19], [1.694], [1.573], [3.366], [2.596], [2.53], [1.221]], dtype=np.float32
)

model = nn.Linear(1, 1)
criterion = nn.MSELoss()
optimizer = optim.SGD(model.parameters(), lr=0.005, momentum=0.5, weight_decay=1e-4)
scheduler = StepLR(optimizer, step_size=20, gamma=0.5)
for epoch in range(60):
    inputs = Variable(torch.from_numpy(x_train))
    targets = Variable(torch.from_numpy(y_train))
    outputs = model(inputs)
    loss = criterion(outputs, targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if (epoch + 1) % 10 == 0:
        print("Epoch [{}/{}], Loss: {:.4f}, lr {:.5f}".format(epoch + 1, 60, loss.item(), scheduler.get_last_lr()[0]))
predicted = model(torch.from_numpy(x_train)).detach().numpy()
print(predicted[:3].round(3).tolist())
for name, p in model.named_parameters():
    print(name, p.data)

x = torch.linspace(-math.pi, math.pi, 200)
y = torch.sin(x)
xx = x.unsqueeze(-1).pow(torch.tensor([1, 2, 3]))
poly = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0, 1))
optimizer = torch.optim.Adam(poly.parameters(), lr=0.05)
for t in range(101):
    loss = nn.functional.mse_loss(poly(xx), y)
    if t % 25 == 0:
        print(t, f"{loss.item():.5f}")
    poly.zero_grad()
    loss.backward()
    optimizer.step()
a = poly[0]
print(
    f"y = {a.bias.item():.3f} + {a.weight[:, 0].item():.3f} x + {a.weight[:, 1].item():.3f} x^2 + {a.weight[:, 2].item():.3f} x^3"
)
