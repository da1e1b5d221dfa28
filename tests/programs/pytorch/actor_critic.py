"""Advantage actor-critic with GAE and a PPO-style clipped update on a balancing stick written here; Gaussian actions too."""

import math
import random
from collections import namedtuple

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical, Normal

random.seed(1)
np.random.seed(1)
torch.manual_seed(1)


class CartPole:
    """The classic cart with a stick on it, by Euler's method."""

    gravity, masscart, masspole, length, force_mag, tau = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)

    def reset(self):
        self.state = self.rng.uniform(-0.05, 0.05, size=4)
        self.steps = 0
        return np.array(self.state, dtype=np.float32)

    def step(self, action):
        x, x_dot, theta, theta_dot = self.state
        force = self.force_mag if action == 1 else -self.force_mag
        total_mass = self.masscart + self.masspole
        temp = (force + self.masspole * self.length * theta_dot**2 * math.sin(theta)) / total_mass
        thetaacc = (self.gravity * math.sin(theta) - math.cos(theta) * temp) / (
            self.length * (4.0 / 3.0 - self.masspole * math.cos(theta) ** 2 / total_mass)
        )
        xacc = temp - self.masspole * self.length * thetaacc * math.cos(theta) / total_mass
        self.state = (
            x + self.tau * x_dot,
            x_dot + self.tau * xacc,
            theta + self.tau * theta_dot,
            theta_dot + self.tau * thetaacc,
        )
        self.steps += 1
        done = abs(self.state[0]) > 2.4 or abs(self.state[2]) > 12 * math.pi / 180 or self.steps >= 60
        return np.array(self.state, dtype=np.float32), 1.0, bool(done), {}


def layer_init(layer, std=np.sqrt(2), bias_const=0.0):
    torch.nn.init.orthogonal_(layer.weight, std)
    torch.nn.init.constant_(layer.bias, bias_const)
    return layer


SavedAction = namedtuple("SavedAction", ["log_prob", "value", "entropy"])


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(layer_init(nn.Linear(4, 32)), nn.Tanh())
        self.actor = layer_init(nn.Linear(32, 2), std=0.01)
        self.critic = layer_init(nn.Linear(32, 1), std=1.0)

    def forward(self, x):
        h = self.trunk(x)
        return Categorical(logits=self.actor(h)), self.critic(h).squeeze(-1)


def compute_gae(rewards, values, dones, last_value, gamma=0.99, lam=0.95):
    advantages = torch.zeros(len(rewards))
    lastgaelam = 0
    for t in reversed(range(len(rewards))):
        nextvalue = last_value if t == len(rewards) - 1 else values[t + 1]
        nonterminal = 1.0 - dones[t]
        delta = rewards[t] + gamma * nextvalue * nonterminal - values[t]
        advantages[t] = lastgaelam = delta + gamma * lam * nonterminal * lastgaelam
    return advantages


env = CartPole(3)
model = ActorCritic()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, eps=1e-5)
num_steps, minibatch = 96, 32

print("A2C")
for update in range(4):
    saved, rewards, dones = [], [], []
    state, lengths = env.reset(), []
    for step in range(num_steps):
        dist, value = model(torch.from_numpy(state).float().unsqueeze(0))
        action = dist.sample()
        saved.append(SavedAction(dist.log_prob(action), value, dist.entropy()))
        state, reward, done, _ = env.step(action.item())
        rewards.append(reward)
        dones.append(float(done))
        if done:
            lengths.append(env.steps)
            state = env.reset()
    values = torch.cat([s.value for s in saved])
    with torch.no_grad():
        last_value = model(torch.from_numpy(state).unsqueeze(0))[1].item()
    advantages = compute_gae(rewards, values.detach(), dones, last_value)
    returns = advantages + values.detach()
    policy_loss = -(torch.cat([s.log_prob for s in saved]) * advantages).mean()
    value_loss = F.smooth_l1_loss(values, returns)
    entropy = torch.stack([s.entropy for s in saved]).mean()
    loss = policy_loss + 0.5 * value_loss - 0.01 * entropy
    optimizer.zero_grad()
    loss.backward()
    grad_norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()
    print(
        f"update {update} episodes {len(lengths)} policy {policy_loss.item():.4f} value {value_loss.item():.4f} entropy {entropy.item():.5f} norm {grad_norm:.4f}"
    )

print("PPO")
clip_coef, ent_coef, vf_coef = 0.2, 0.01, 0.5
obs = torch.zeros((num_steps, 4))
actions = torch.zeros(num_steps, dtype=torch.long)
logprobs = torch.zeros(num_steps)
rewards = torch.zeros(num_steps)
dones = torch.zeros(num_steps)
values = torch.zeros(num_steps)
next_obs = torch.Tensor(env.reset())
for update in range(3):
    lengths = []
    optimizer.param_groups[0]["lr"] = (1.0 - update / 3) * 3e-3
    for step in range(num_steps):
        obs[step] = next_obs
        with torch.no_grad():
            dist, value = model(next_obs)
            action = dist.sample()
            values[step] = value.flatten()
        actions[step] = action
        logprobs[step] = dist.log_prob(action)
        state, reward, done, _ = env.step(action.cpu().numpy())
        rewards[step] = torch.tensor(reward).view(-1)
        dones[step] = done
        if done:
            lengths.append(env.steps)
            state = env.reset()
        next_obs = torch.Tensor(state)
    with torch.no_grad():
        advantages = compute_gae(rewards, values, dones, model(next_obs)[1])
        returns = advantages + values
    b_inds = np.arange(num_steps)
    clipfracs = []
    for epoch in range(2):
        np.random.shuffle(b_inds)
        for start in range(0, num_steps, minibatch):
            mb_inds = b_inds[start : start + minibatch]
            dist, newvalue = model(obs[mb_inds])
            logratio = dist.log_prob(actions[mb_inds]) - logprobs[mb_inds]
            ratio = logratio.exp()
            with torch.no_grad():
                approx_kl = ((ratio - 1) - logratio).mean()
                clipfracs += [((ratio - 1.0).abs() > clip_coef).float().mean().item()]
            mb_advantages = advantages[mb_inds]
            mb_advantages = (mb_advantages - mb_advantages.mean()) / (mb_advantages.std() + 1e-8)
            pg_loss = torch.max(
                -mb_advantages * ratio, -mb_advantages * torch.clamp(ratio, 1 - clip_coef, 1 + clip_coef)
            ).mean()
            v_clipped = values[mb_inds] + torch.clamp(newvalue - values[mb_inds], -clip_coef, clip_coef)
            v_loss = 0.5 * torch.max((newvalue - returns[mb_inds]) ** 2, (v_clipped - returns[mb_inds]) ** 2).mean()
            entropy_loss = dist.entropy().mean()
            loss = pg_loss - ent_coef * entropy_loss + v_loss * vf_coef
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
    y_pred, y_true = values.cpu().numpy(), returns.cpu().numpy()
    explained_var = 1 - np.var(y_true - y_pred) / np.var(y_true)
    print(
        f"update {update} lengths {lengths} pg {pg_loss.item():.4f} v {v_loss.item():.4f} entropy {entropy_loss.item():.4f} kl {approx_kl.item():.4f} explained {explained_var:.4f}"
    )

print("REINFORCE with Gaussian actions")
policy = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(policy.parameters(), lr=0.02)
for episode in range(30):
    target = torch.rand(24, 1) * 4 - 2
    mean, log_std = policy(target).chunk(2, dim=-1)
    dist = Normal(mean, log_std.clamp(-2, 1).exp())
    action = dist.rsample().detach()
    reward = -((action - torch.sin(target)) ** 2)
    baseline = reward.mean()
    loss = -(dist.log_prob(action) * (reward - baseline)).mean() - 1e-3 * dist.entropy().mean()
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    if episode % 10 == 9:
        print(f"episode {episode + 1} reward {baseline.item():.4f} scale {dist.scale.mean().item():.4f}")
print(torch.distributions.kl_divergence(dist, Normal(0.0, 1.0)).mean())
