"""A language model's head that knows which tokens are numbers near each other.

    python examples/language_head.py

The text is sums, such as "37+5=42". A token is a whole number, "+" or "=". The model
predicts the answer; its head, `offby.nn.LinearLoss`, never holds the logits of a batch.
Cross-entropy alone treats 41 and 7 as equally wrong where 42 is right; with the squared
EMD added, on a line of the numbers, near answers cost less.
"""

import argparse

import torch

from offby import nn

LARGEST = 200
IGNORED = -100


# %% The text
def sums(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens a + b =, and what comes after each: only the answer is asked for."""
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randint(LARGEST // 2, (2, n), generator=generator)
    plus, equals = torch.full_like(a, LARGEST), torch.full_like(a, LARGEST + 1)
    tokens = torch.stack([a, plus, b, equals], 1)
    target = torch.full_like(tokens, IGNORED)
    target[:, -1] = a + b
    return tokens, target


# %% The model
class Model(torch.nn.Module):
    """Embedding, one GRU, and a head that is the loss."""

    def __init__(self, criterion: torch.nn.Module, width: int = 64) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(LARGEST + 2, width)
        self.body = torch.nn.GRU(width, width, batch_first=True)
        self.head = nn.LinearLoss(width, LARGEST, criterion)

    def hidden(self, tokens: torch.Tensor) -> torch.Tensor:
        """(sequences, tokens, features)."""
        return self.body(self.embedding(tokens))[0]

    def forward(self, tokens: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.head(self.hidden(tokens), target)


# %% Training under each loss
def main(seeds: int, epochs: int, rows: int = 4000) -> None:
    """Trains each loss on each seed and prints how far off the answers are."""
    near = nn.SquaredEMDLoss()
    losses = {
        "ce": nn.CrossEntropyLoss(),
        "ce+emd2": nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (0.1, near)]),
    }
    print(f"{'loss':10s} {'mean distance of the answer':>28s} {'right, %':>9s}")
    for name, criterion in losses.items():
        off, right = 0.0, 0.0
        for seed in range(seeds):
            tokens, target = sums(rows, seed)
            cut = rows * 3 // 4
            torch.manual_seed(seed)
            model = Model(criterion)
            step = torch.optim.Adam(model.parameters(), lr=3e-3)
            for _ in range(epochs):
                for batch in torch.randperm(cut).split(100):
                    loss = model(tokens[batch], target[batch])
                    step.zero_grad()
                    loss.backward()
                    step.step()
            with torch.no_grad():
                last = model.hidden(tokens[cut:])[:, -1]
                guess = model.head.logits(last).argmax(-1)
            miss = (guess - target[cut:, -1]).abs()
            off += miss.float().mean().item() / seeds
            right += 100 * (miss == 0).float().mean().item() / seeds
        print(f"{name:10s} {off:28.2f} {right:9.1f}")


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    given = parser.parse_args()
    main(given.seeds, given.epochs)
