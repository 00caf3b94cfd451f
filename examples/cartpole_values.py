"""The value of a state of CartPole, learned by temporal differences on symlog bins.

    python examples/cartpole_values.py

A clumsy policy plays Gymnasium's CartPole: it pushes the way the pole falls, but every
second push is random. A network learns the discounted return of a state from single
steps, r + gamma V(next state), with V from a slowly moving copy of itself: targets that
are noisy and never at rest, as in deep Q-learning. True values are means over 64 games
from each of 256 states. A head of one number under MSE and Huber's loss stands beside
heads of 51 symlog bins under HL-Gauss, two-hot, the CRPS, and the squared EMD from the
two-hot target, which is a CRPS of masses on the centers of the bins. This is the
evaluation of one policy, not control.

Needs gymnasium.
"""

import argparse
import copy

import gymnasium
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from offby import Bins, decode, losses, targets

GAMMA = 0.98
BINS = Bins.symlog(0, 60, 51)  # no return is above 1 / (1 - gamma) = 50
LINE = BINS.line()
HEADS = ("MSE", "Huber", "HL-Gauss", "two-hot", "CRPS", "EMD of two-hot")


# %% The game
def pushes(states: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    falling = (states[:, 2] + 0.5 * states[:, 3] > 0).astype(np.int64)
    return np.where(
        rng.random(len(states)) < 0.5, falling, rng.integers(0, 2, len(states))
    )


def games(n: int) -> gymnasium.vector.VectorEnv:
    return gymnasium.make_vec(
        "CartPole-v1", num_envs=n, vectorization_mode="vector_entry_point"
    )


def steps_of_play(n: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """States, the states after them, and whether the game ended there."""
    played, rng = games(32), np.random.default_rng(seed)
    state, _ = played.reset(seed=seed)
    rows, over = [], np.zeros(32, dtype=bool)
    while sum(len(before) for before, *_ in rows) < n:
        after, _, ended, cut, _ = played.step(pushes(state, rng))
        going = ~over  # the step after an end only starts a new game
        rows.append((state[going], after[going], ended[going]))
        state, over = after, ended | cut
    before, after, ended = (
        np.concatenate(part)[:n] for part in zip(*rows, strict=True)
    )
    return torch.tensor(before), torch.tensor(after), torch.tensor(ended).float()


def true_values(states: Tensor, seed: int, n_games: int = 64) -> Tensor:
    """Mean return of games that begin in these states."""
    played, rng = games(len(states) * n_games), np.random.default_rng(seed)
    played.reset(seed=seed)
    state = np.repeat(states.numpy(), n_games, axis=0)
    played.unwrapped.state = state.T.astype(np.float64)
    total, alive = np.zeros(len(state)), np.ones(len(state), dtype=bool)
    for step in range(400):  # 0.98 ** 400 is 0.0003
        state, _, ended, _, _ = played.step(pushes(state, rng))
        total += GAMMA**step * alive
        alive &= ~ended
        if not alive.any():
            break
    return torch.tensor(total.reshape(-1, n_games).mean(1)).float()


# %% The heads
def value_of(name: str, out: Tensor) -> Tensor:
    return out[:, 0] if name in ("MSE", "Huber") else decode.mean(out, BINS)


def loss_of(name: str, out: Tensor, target: Tensor) -> Tensor:
    if name == "MSE":
        return F.mse_loss(out[:, 0], target)
    if name == "Huber":
        return F.smooth_l1_loss(out[:, 0], target)
    if name == "CRPS":
        return losses.histogram_crps(out, target, BINS).mean()
    soft = targets.hl_gauss if name == "HL-Gauss" else targets.two_hot
    wanted = soft(target, BINS).to(out)
    if name == "EMD of two-hot":
        return losses.squared_emd(out, wanted, LINE).mean()
    return losses.cross_entropy(out, wanted).mean()


# %% Learning by temporal differences
def main(
    seeds: int = 5,
    updates: int = 3000,
    rows: int = 20_000,
    states: int = 256,
    first_seed: int = 0,
) -> dict[str, list[dict[str, float]]]:
    """Prints the means over the seeds, and gives all scores."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in HEADS}
    for seed in range(first_seed, first_seed + seeds):
        before, after, ended = steps_of_play(rows, seed)
        test, _, _ = steps_of_play(40 * states, 100 + seed)
        test = test[::40]
        wanted = true_values(test, 200 + seed)
        center, scale = before.mean(0), before.std(0)
        for name in HEADS:
            torch.manual_seed(seed)
            network = torch.nn.Sequential(
                torch.nn.Linear(4, 64),
                torch.nn.ReLU(),
                torch.nn.Linear(64, 64),
                torch.nn.ReLU(),
                torch.nn.Linear(64, 1 if name in ("MSE", "Huber") else BINS.n_bins),
            )
            slow = copy.deepcopy(network)
            step = torch.optim.Adam(network.parameters(), lr=1e-3)
            for _ in range(updates):
                batch = torch.randint(len(before), (128,))
                with torch.no_grad():
                    following = value_of(name, slow((after[batch] - center) / scale))
                    target = 1 + GAMMA * (1 - ended[batch]) * following
                loss = loss_of(name, network((before[batch] - center) / scale), target)
                step.zero_grad()
                loss.backward()
                step.step()
                with torch.no_grad():
                    for old, new in zip(
                        slow.parameters(), network.parameters(), strict=True
                    ):
                        old.lerp_(new, 0.05)
            with torch.no_grad():
                miss = value_of(name, slow((test - center) / scale)) - wanted
            scores = {
                "RMSE": miss.square().mean().sqrt().item(),
                "mean absolute error": miss.abs().mean().item(),
                "bias": miss.mean().item(),
            }
            found[name].append(scores)
    columns = list(found["MSE"][0])
    print(f"{'head':15s}" + "".join(f"{name:>14s}" for name in columns))
    for name, runs in found.items():
        means = [sum(run[column] for run in runs) / len(runs) for column in columns]
        print(f"{name:15s}" + "".join(f"{value:14.3f}" for value in means))
    return found


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--updates", type=int, default=3000)
    main(**vars(parser.parse_args()))
