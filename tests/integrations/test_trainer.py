"""The loss in the Trainer of transformers, on a small causal model."""

import pytest
import torch
from torch.testing import assert_close

pytest.importorskip("accelerate")
pytest.importorskip("transformers")

import transformers

from offby.integrations.transformers import (
    NumberTokenLoss,
    NumberTokens,
    compute_loss_func,
)
from tests.integrations import tokenizers_at_hand as at_hand

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # those of transformers
]

TOKENIZER = at_hand.single_digits()
TEXT = [f"the sum of {a} and {b} is {a + b}" for a in (1, 22, 39) for b in (3, 17, 5)]


def model() -> torch.nn.Module:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=TOKENIZER.get_vocab_size(),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    return transformers.LlamaForCausalLM(config)


def rows() -> list[dict[str, list[int]]]:
    """Sentences of different lengths, padded with labels that do not count."""
    encoded = [TOKENIZER.encode(text).ids for text in TEXT[:8]]
    longest = max(map(len, encoded))
    return [
        {
            "input_ids": ids + [0] * (longest - len(ids)),
            "attention_mask": [1] * len(ids) + [0] * (longest - len(ids)),
            "labels": ids + [-100] * (longest - len(ids)),
        }
        for ids in encoded
    ]


def trained(folder, *, batch: int, accumulate: int) -> tuple[dict, float]:
    """Weights after one step on eight sentences, and the loss that is reported."""
    loss = NumberTokenLoss(NumberTokens(TOKENIZER), "emd2", reduction="sum")
    settings = transformers.TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulate,
        max_steps=1,
        learning_rate=0.1,
        optim="sgd",
        max_grad_norm=0.0,
        lr_scheduler_type="constant",
        save_strategy="no",
        logging_steps=1,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        seed=0,
    )
    trainer = transformers.Trainer(
        model=model(),
        args=settings,
        train_dataset=rows(),
        data_collator=transformers.default_data_collator,
        compute_loss_func=compute_loss_func(loss, shift=True),
    )
    trainer.train()
    assert trainer.model is not None
    return trainer.model.state_dict(), trainer.state.log_history[0]["loss"]


def test_four_accumulated_batches_are_one_of_four_times_the_size(tmp_path):
    whole, at_once = trained(tmp_path / "whole", batch=8, accumulate=1)
    parts, in_parts = trained(tmp_path / "parts", batch=2, accumulate=4)
    start = model().state_dict()
    moved = sum((whole[name] - start[name]).abs().sum() for name in whole)
    assert moved > 0.1
    for name, weight in whole.items():
        assert_close(parts[name], weight, rtol=1e-4, atol=1e-6)
    assert in_parts == pytest.approx(at_once, rel=1e-4)
    batch = transformers.default_data_collator(rows())
    with torch.no_grad():
        logits = model()(batch["input_ids"], batch["attention_mask"]).logits
    by_hand = NumberTokenLoss(NumberTokens(TOKENIZER), "emd2")
    wanted = by_hand(logits[:, :-1], batch["labels"][:, 1:])
    assert at_once == pytest.approx(float(wanted), abs=1e-4)
