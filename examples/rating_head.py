"""Stars of reviews from a small BERT: classes, a distance, CORAL and CORN.

    python examples/rating_head.py amazonReviewSnippets_GroundTruth.txt

The file is in the source archive of the Python package vaderSentiment 0.5 (Hutto and
Gilbert 2014): 3,708 sentences of product reviews, each with the mean of the ratings by
twenty people, from -4 to 4. Rounded, and with the rare ends put together, they are
seven ordered classes. The network is made from a configuration, without pretrained
weights; it is the same for all, but for its last layer.

Needs the extras "transformers" and "torchmetrics".
"""

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torchmetrics import MetricCollection
from transformers import BertConfig, BertModel

from offby import nn
from offby.integrations.torchmetrics import (
    FarErrorRate,
    QuadraticWeightedKappa,
    RankedProbabilityScore,
)

CLASSES, WIDTH, LONGEST = 7, 64, 48
# %% The heads
HEADS = {
    "ce": (torch.nn.Linear, nn.CrossEntropyLoss()),
    "ce+emd2": (
        torch.nn.Linear,
        nn.MixedLoss(
            [(1.0, nn.CrossEntropyLoss()), (1.0, nn.SquaredEMDLoss())], balance="push"
        ),
    ),
    "CORAL": (nn.heads.CORAL, nn.CumulativeCrossEntropyLoss()),
    "CORN": (nn.heads.CORN, nn.CrossEntropyLoss()),
}


# %% The reviews
def reviews(file: Path) -> tuple[list[str], torch.Tensor]:
    """Sentences and their classes, 0 to 6."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    parts = [line.split("\t", 2) for line in lines if line.count("\t") >= 2]
    ratings = torch.tensor([float(rating) for _, rating, _ in parts])
    return [text for *_, text in parts], ratings.round().clamp(-3, 3).long() + 3


# %% The tokenizer
def word_pieces(texts: list[str]) -> Tokenizer:
    """A tokenizer as BERT has it, trained on the training texts."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]"]
    made.train_from_iterator(
        texts,
        trainers.WordPieceTrainer(
            vocab_size=2000, special_tokens=special, show_progress=False
        ),
    )
    made.enable_truncation(LONGEST)
    made.enable_padding(length=LONGEST)
    return made


# %% The model
class Model(torch.nn.Module):
    """BERT, the mean over its words, and a last layer."""

    def __init__(self, head: type[torch.nn.Module], vocabulary: int) -> None:
        super().__init__()
        config = BertConfig(
            vocab_size=vocabulary,
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=LONGEST,
        )
        self.body = BertModel(config, add_pooling_layer=False)
        self.head = head(WIDTH, CLASSES)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """(rows, tokens) to (rows, classes)."""
        mask = (ids > 0).long()
        hidden = self.body(ids, attention_mask=mask).last_hidden_state
        share = mask / mask.sum(1, keepdim=True).clamp(min=1)
        return self.head((hidden * share[..., None]).sum(1))


# %% Training under each head
def main(
    file: Path, seeds: int = 3, epochs: int = 6
) -> dict[str, list[dict[str, float]]]:
    """Trains each on each seed, prints the means, and gives all scores."""
    texts, classes = reviews(file)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in HEADS}
    for seed in range(seeds):
        order = torch.randperm(
            len(texts), generator=torch.Generator().manual_seed(seed)
        )
        cut = len(texts) * 3 // 4
        tokenizer = word_pieces([texts[k] for k in order[:cut].tolist()])
        encoded = tokenizer.encode_batch([texts[k] for k in order.tolist()])
        ids, y = torch.tensor([each.ids for each in encoded]), classes[order]
        for name, (head, criterion) in HEADS.items():
            torch.manual_seed(seed)
            model = Model(head, tokenizer.get_vocab_size())
            step = torch.optim.AdamW(model.parameters(), lr=1e-3)
            model.train()
            for _ in range(epochs):
                for rows in torch.randperm(cut).split(64):
                    loss = criterion(model(ids[rows]), y[rows])
                    step.zero_grad()
                    loss.backward()
                    step.step()
            scores = MetricCollection(
                {
                    "RPS": RankedProbabilityScore(CLASSES),
                    "kappa": QuadraticWeightedKappa(CLASSES),
                    "far, %": FarErrorRate(CLASSES),
                }
            )
            model.eval()
            with torch.no_grad():
                scores.update(model(ids[cut:]).softmax(1), y[cut:])
            values = {k: float(value) for k, value in scores.compute().items()}
            found[name].append({**values, "far, %": 100 * values["far, %"]})
    columns = list(found["ce"][0])
    print(f"{'':8s}" + "".join(f"{column:>9s}" for column in columns))
    for name, runs in found.items():
        means = (sum(run[column] for run in runs) / len(runs) for column in columns)
        print(f"{name:8s}" + "".join(f"{mean:9.3f}" for mean in means))
    return found


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    main(**vars(parser.parse_args()))
