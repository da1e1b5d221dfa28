"""Reinforcement learning: a policy gradient learns to balance a pole on a cart.

    python examples/small/policy.py         less than a quarter of a minute on two cores

The cart is pushed left or right fifty times a second; a reward of 1 comes for each step until the pole leans over by 12
degrees, the cart leaves its track, or 500 steps have passed. 32 carts run side by side. The figure is the mean return
of 100 fresh runs of the most probable pushes; the baseline pushes at random. Barto, Sutton and Anderson, "Neuronlike
adaptive elements that can solve difficult learning control problems", 1983; Williams (REINFORCE), 1992.
"""

import argparse
import time

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

LIMIT = 500


class CartPoles:
    """`count` carts with a pole. state (count, 4): place, speed, angle, speed of the angle; alive (count,)."""

    gravity, cart, pole, half_length, force, tick = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02  # SI units

    def __init__(self, count: int, rng: np.random.Generator):
        self.state, self.alive = rng.uniform(-0.05, 0.05, (count, 4)), np.ones(count, bool)

    def step(self, right: np.ndarray) -> np.ndarray:
        """Push each cart right (1) or left (0); the reward, 1 for those that were still up."""
        reward = self.alive.astype(np.float32)
        _, v, angle, turning = self.state.T
        cos, sin, total = np.cos(angle), np.sin(angle), self.cart + self.pole
        push = (np.where(right, self.force, -self.force) + self.pole * self.half_length * turning**2 * sin) / total
        angular = (self.gravity * sin - cos * push) / (self.half_length * (4 / 3 - self.pole * cos**2 / total))
        linear = push - self.pole * self.half_length * angular * cos / total
        moved = self.state + self.tick * np.stack([v, linear, turning, angular], axis=1)
        self.state = np.where(self.alive[:, None], moved, self.state)
        self.alive &= (np.abs(self.state[:, 0]) < 2.4) & (np.abs(self.state[:, 2]) < np.deg2rad(12))
        return reward


def run(policy: nn.Module | None, count: int, rng: np.random.Generator, best: bool = False) -> tuple[np.ndarray, ...]:
    """States (T, count, 4), pushes (T, count) and rewards (T, count) of one run each; no policy pushes at random."""
    world, states, pushes, rewards = CartPoles(count, rng), [], [], []
    while world.alive.any() and len(rewards) < LIMIT:
        states.append(world.state.astype(np.float32))
        if policy is None:
            right = rng.random(count) < 0.5
        else:
            with mg.no_grad():
                p = F.softmax(policy(mg.tensor(states[-1])), dim=1)[:, 1].numpy()
            right = p > (0.5 if best else rng.random(count))
        pushes.append(right)
        rewards.append(world.step(right))
    return np.stack(states), np.stack(pushes).astype(np.int64), np.stack(rewards)


def returns_to_go(rewards: np.ndarray, discount: float) -> np.ndarray:
    """G_t = r_t + discount G_(t+1), for each run."""
    total, found = np.zeros(rewards.shape[1], np.float32), np.zeros_like(rewards)
    for t in reversed(range(len(rewards))):
        total = rewards[t] + discount * total
        found[t] = total
    return found


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--updates", type=int, default=150, help="of the policy, 32 runs each (default: %(default)s)")
    p.add_argument("--seed", type=int, default=0, help="of weights and runs (default: %(default)s)")
    args = p.parse_args()
    started, rng = time.perf_counter(), np.random.default_rng(args.seed)
    mg.manual_seed(args.seed)
    policy = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 2))
    optimizer = mg.optim.Adam(policy.parameters(), lr=1e-2)
    for update in range(1, args.updates + 1):
        states, pushes, rewards = run(policy, 32, rng)
        up = rewards > 0
        gain = returns_to_go(rewards, 0.99)
        # How much better a run went than the others that were still up at that time: the baseline takes variance away.
        gain -= (gain * up).sum(1, keepdims=True) / np.maximum(up.sum(1, keepdims=True), 1)
        advantage = mg.tensor(gain[up] / (gain[up].std() + 1e-8))
        log_p = F.log_softmax(policy(mg.tensor(states[up])), dim=1)  # (steps, 2)
        chosen = log_p.gather(1, mg.tensor(pushes[up]).unsqueeze(1))[:, 0]
        loss = -(advantage * chosen).mean()  # its gradient is that of the expected return, turned round
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if update % 25 == 0:
            print(f"update {update}: mean return {rewards.sum(0).mean():.0f}, {time.perf_counter() - started:.0f} s")
    found, chance = (run(who, 100, rng, best=True)[2].sum(0).mean() for who in (policy, None))
    print(f"mean return {found:.0f} (wanted 400), at random {chance:.0f}; {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
