"""A small language model multiplies: does it help to know that 7 is near 8?

    python examples/number_tokens.py

The text is products of two-digit numbers, "47*83=3901", one token for each digit. A
causal model of `transformers` learns the answer under cross-entropy, and under
cross-entropy plus a distance between the digits: emd1 is the number token loss of
Zausinger et al. (2025), emd2 and cce are proper scores. It answers products that it has
not seen. What counts is how often it is right, and how far off it is.

Needs the extra "transformers".
"""

import argparse

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from offby.integrations.transformers import NumberTokenLoss, NumberTokens

PROMPT, ANSWER = 6, 4  # tokens: "47*83=", and at most four digits
IGNORED = -100
LOSSES = ("ce", "ce+emd1", "ce+emd2", "ce+cce")


# %% The text
def tokenizer() -> Tokenizer:
    """One token for each character."""
    characters = [*"0123456789*=", "<end>", "<unknown>"]
    vocabulary = {token: k for k, token in enumerate(characters)}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unknown>"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.add_special_tokens(["<end>", "<unknown>"])
    return made


def products(tokens: Tokenizer, seed: int, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids of different products, and the answers as numbers."""
    generator = torch.Generator().manual_seed(seed)
    pairs = torch.cartesian_prod(torch.arange(10, 100), torch.arange(10, 100))
    a, b = pairs[torch.randperm(len(pairs), generator=generator)[:n]].unbind(1)
    end = tokens.token_to_id("<end>")
    texts = [f"{x}*{y}={x * y}" for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    ids = [each.ids for each in tokens.encode_batch(texts)]
    length = PROMPT + ANSWER + 1
    rows = torch.tensor([row + [end] * (length - len(row)) for row in ids])
    return rows, a * b


# %% The losses
def criterion_of(name: str, numbers: NumberTokens, weight: float) -> NumberTokenLoss:
    """Cross-entropy alone, or with a distance beside it."""
    distance = name.removeprefix("ce").removeprefix("+") or "emd1"
    return NumberTokenLoss(numbers, distance, weight=0.0 if name == "ce" else weight)


# %% Training
def train(
    criterion: NumberTokenLoss, ids: torch.Tensor, seed: int, epochs: int
) -> LlamaForCausalLM:
    """A model from scratch; only the answer and its end are learned."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=14,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=16,
        pad_token_id=None,
    )
    model = LlamaForCausalLM(config)
    labels = ids[:, 1:].clone()
    labels[:, : PROMPT - 1] = IGNORED
    step = torch.optim.AdamW(model.parameters(), lr=2e-3)
    batches = -(-len(ids) // 64) * epochs
    slower = torch.optim.lr_scheduler.OneCycleLR(step, 2e-3, total_steps=batches)
    for _ in range(epochs):
        for rows in torch.randperm(len(ids)).split(64):
            logits = model(ids[rows, :-1]).logits
            loss = criterion(logits, labels[rows])
            step.zero_grad()
            loss.backward()
            step.step()
            slower.step()
    return model


@torch.no_grad()
# %% Answers
def answers(model: LlamaForCausalLM, ids: torch.Tensor, end: int) -> torch.Tensor:
    """The numbers that the model writes after each "=", token by token."""
    written = ids[:, :PROMPT]
    for _ in range(ANSWER):
        following = model(written).logits[:, -1, : end + 1]
        written = torch.cat([written, following.argmax(-1, keepdim=True)], 1)
    found = torch.zeros(len(ids))
    over = torch.zeros(len(ids), dtype=torch.bool)
    for token in written[:, PROMPT:].unbind(1):
        over |= token > 9
        found = torch.where(over, found, 10 * found + token)
    return found


# %% Each loss on each seed
def main(
    seeds: int = 3, epochs: int = 20, rows: int = 8100, weight: float = 0.3
) -> dict[str, list[dict[str, float]]]:
    """Trains each loss on each seed, prints the means, and gives all scores."""
    logging.set_verbosity_error()
    tokens = tokenizer()
    numbers = NumberTokens(tokens)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in LOSSES}
    for seed in range(seeds):
        ids, right = products(tokens, seed, rows)
        cut = len(ids) * 3 // 4
        for name in LOSSES:
            criterion = criterion_of(name, numbers, weight)
            model = train(criterion, ids[:cut], seed, epochs)
            guess = answers(model, ids[cut:], tokens.token_to_id("<end>"))
            miss = (guess - right[cut:]).abs()
            scores = {
                "mean error": miss.mean().item(),
                "median error": miss.median().item(),
                "exact, %": 100 * (miss == 0).float().mean().item(),
            }
            found[name].append(scores)
    print(f"{'loss':8s} {'mean |error|':>13s} {'median |error|':>15s} {'exact, %':>9s}")
    for name, runs in found.items():
        mean, median, exact = (
            sum(run[score] for run in runs) / len(runs) for score in runs[0]
        )
        print(f"{name:8s} {mean:13.1f} {median:15.1f} {exact:9.1f}")
    return found


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--weight", type=float, default=0.3)
    given = parser.parse_args()
    main(given.seeds, given.epochs, weight=given.weight)
