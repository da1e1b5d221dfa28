"""Deep Q-learning: replay memory, an epsilon-greedy policy, a target network softly updated, Huber loss."""

import math
import random
from collections import deque, namedtuple
from itertools import count

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

random.seed(0)
torch.manual_seed(0)
device = torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")
Transition = namedtuple("Transition", ("state", "action", "next_state", "reward"))


class GridWorld:
    """Five by five, a pit in the middle, a goal in the corner."""

    n_actions = 4

    def reset(self):
        self.pos = [0, random.randint(0, 2)]
        return self._obs(), {}

    def _obs(self):
        return [self.pos[0] / 4, self.pos[1] / 4, float(self.pos[0] == self.pos[1]), 1.0]

    def step(self, action):
        di, dj = [(0, 1), (1, 0), (0, -1), (-1, 0)][action]
        self.pos = [min(4, max(0, self.pos[0] + di)), min(4, max(0, self.pos[1] + dj))]
        if self.pos == [2, 2]:
            return self._obs(), -1.0, True, False, {}
        if self.pos == [4, 4]:
            return self._obs(), 1.0, True, False, {}
        return self._obs(), -0.02, False, False, {}


class ReplayMemory(object):
    def __init__(self, capacity):
        self.memory = deque([], maxlen=capacity)

    def push(self, *args):
        """Save a transition"""
        self.memory.append(Transition(*args))

    def sample(self, batch_size):
        return random.sample(self.memory, batch_size)

    def __len__(self):
        return len(self.memory)


class DQN(nn.Module):
    def __init__(self, n_observations, n_actions):
        super(DQN, self).__init__()
        self.layer1 = nn.Linear(n_observations, 32)
        self.layer2 = nn.Linear(32, 32)
        self.layer3 = nn.Linear(32, n_actions)

    def forward(self, x):
        x = F.relu(self.layer1(x))
        x = F.relu(self.layer2(x))
        return self.layer3(x)


BATCH_SIZE = 32
GAMMA = 0.95
EPS_START = 0.9
EPS_END = 0.05
EPS_DECAY = 150
TAU = 0.01
LR = 2e-3
env = GridWorld()
state, info = env.reset()
policy_net = DQN(len(state), env.n_actions).to(device)
target_net = DQN(len(state), env.n_actions).to(device)
target_net.load_state_dict(policy_net.state_dict())
optimizer = optim.AdamW(policy_net.parameters(), lr=LR, amsgrad=True)
memory = ReplayMemory(1000)
steps_done = 0


def select_action(state):
    global steps_done
    sample = random.random()
    eps_threshold = EPS_END + (EPS_START - EPS_END) * math.exp(-1.0 * steps_done / EPS_DECAY)
    steps_done += 1
    if sample > eps_threshold:
        with torch.no_grad():
            return policy_net(state).max(1).indices.view(1, 1)
    else:
        return torch.tensor([[random.randrange(env.n_actions)]], device=device, dtype=torch.long)


episode_durations = []
losses = []


def optimize_model():
    if len(memory) < BATCH_SIZE:
        return
    transitions = memory.sample(BATCH_SIZE)
    batch = Transition(*zip(*transitions))
    non_final_mask = torch.tensor(
        tuple(map(lambda s: s is not None, batch.next_state)), device=device, dtype=torch.bool
    )
    non_final_next_states = torch.cat([s for s in batch.next_state if s is not None])
    state_batch = torch.cat(batch.state)
    action_batch = torch.cat(batch.action)
    reward_batch = torch.cat(batch.reward)
    state_action_values = policy_net(state_batch).gather(1, action_batch)
    next_state_values = torch.zeros(BATCH_SIZE, device=device)
    with torch.no_grad():
        next_state_values[non_final_mask] = target_net(non_final_next_states).max(1).values
    expected_state_action_values = (next_state_values * GAMMA) + reward_batch
    criterion = nn.SmoothL1Loss()
    loss = criterion(state_action_values, expected_state_action_values.unsqueeze(1))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(policy_net.parameters(), 100)
    optimizer.step()
    losses.append(loss.item())


for i_episode in range(16):
    state, info = env.reset()
    state = torch.tensor(state, dtype=torch.float32, device=device).unsqueeze(0)
    total = 0.0
    for t in count():
        action = select_action(state)
        observation, reward, terminated, truncated, _ = env.step(action.item())
        reward = torch.tensor([reward], device=device)
        total += reward.item()
        done = terminated or truncated or t >= 24
        next_state = None if terminated else torch.tensor(observation, dtype=torch.float32, device=device).unsqueeze(0)
        memory.push(state, action, next_state, reward)
        state = next_state
        optimize_model()
        target_net_state_dict = target_net.state_dict()
        policy_net_state_dict = policy_net.state_dict()
        for key in policy_net_state_dict:
            target_net_state_dict[key] = policy_net_state_dict[key] * TAU + target_net_state_dict[key] * (1 - TAU)
        target_net.load_state_dict(target_net_state_dict)
        if done:
            episode_durations.append(t + 1)
            break
    if i_episode % 4 == 3:
        durations_t = torch.tensor(episode_durations, dtype=torch.float)
        means = durations_t.unfold(0, 4, 1).mean(1).view(-1)
        mean_loss = torch.tensor(losses[-50:]).mean() if losses else torch.tensor(0.0)
        print(
            f"Episode {i_episode} duration {durations_t[-1]} mean {means[-1]:.2f} return {total:.2f} loss {mean_loss:.5f}"
        )
print("Complete", steps_done)
corner = torch.tensor([[1.0, 0.75, 0.0, 1.0]])
print(policy_net(corner).detach(), target_net(corner).detach())
q, a = policy_net(corner).max(1)
print(a, f"{q.item():.4f}", F.softmax(policy_net(corner), dim=1).detach())
