"""REINFORCE with a baseline on a corridor of one's own: sampled actions, discounted returns, collected log-probabilities."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

torch.manual_seed(543)


class Corridor:
    """Walk right to the end; a step costs, and the floor is slippery."""

    def __init__(self, seed):
        self.rng = np.random.RandomState(seed)

    def reset(self):
        self.at = 2
        return self.observe()

    def observe(self):
        seen = np.zeros(6, dtype=np.float32)
        seen[self.at] = 1
        return seen

    def step(self, action):
        slip = self.rng.rand() < 0.1
        self.at = int(np.clip(self.at + (1 if action == 1 and not slip else -1), 0, 5))
        done = self.at == 5
        return self.observe(), 1.0 if done else -0.05, done, {}


class Policy(nn.Module):
    def __init__(self):
        super(Policy, self).__init__()
        self.affine1 = nn.Linear(6, 16)
        self.action_head = nn.Linear(16, 2)
        self.value_head = nn.Linear(16, 1)
        self.saved = []
        self.rewards = []

    def forward(self, x):
        x = F.relu(self.affine1(x))
        return F.softmax(self.action_head(x), dim=-1), self.value_head(x)


policy = Policy()
optimizer = optim.Adam(policy.parameters(), lr=2e-2)
eps = np.finfo(np.float32).eps.item()
env = Corridor(7)


def select_action(state):
    state = torch.from_numpy(state).float().unsqueeze(0)
    probs, value = policy(state)
    action = probs.multinomial(num_samples=1)
    policy.saved.append((probs.gather(1, action).log().squeeze(), value))
    return action.item()


def finish_episode(gamma=0.95):
    R = 0
    returns = []
    for r in policy.rewards[::-1]:
        R = r + gamma * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + eps) if len(returns) > 1 else returns
    policy_losses, value_losses = [], []
    for (log_prob, value), R in zip(policy.saved, returns):
        advantage = R - value.item()
        policy_losses.append(-log_prob * advantage)
        value_losses.append(F.smooth_l1_loss(value.view(1), R.view(1)))
    optimizer.zero_grad()
    loss = torch.stack(policy_losses).sum() + torch.stack(value_losses).sum()
    loss.backward()
    optimizer.step()
    del policy.rewards[:]
    del policy.saved[:]
    return loss


running_reward = 0
for i_episode in range(30):
    state, ep_reward = env.reset(), 0
    for t in range(1, 40):
        action = select_action(state)
        state, reward, done, _ = env.step(action)
        policy.rewards.append(reward)
        ep_reward += reward
        if done:
            break
    running_reward = 0.1 * ep_reward + 0.9 * running_reward
    loss = finish_episode()
    if i_episode % 5 == 4:
        print(
            "Episode {}\tsteps: {}\tLast reward: {:.2f}\tAverage reward: {:.2f}\tloss {:.3f}".format(
                i_episode, t, ep_reward, running_reward, loss
            )
        )
probs, values = policy(torch.eye(6))
print(probs.detach()[:, 1], f"{values.squeeze(-1).mean().item():.4f}")
