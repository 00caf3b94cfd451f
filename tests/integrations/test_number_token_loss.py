"""The loss of a language model whose numbers have distances."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

pytest.importorskip("tokenizers")

from offby import Bins, losses, nn
from offby.integrations.transformers import (
    NumberTokenLoss,
    NumberTokens,
    compute_loss_func,
)
from tests.integrations import tokenizers_at_hand as at_hand

VOCABULARY = 420
TOKENS = NumberTokens(at_hand.byte_level(), digits_only=True)
DISTANCES = {
    "emd1": losses.wasserstein,
    "emd2": losses.squared_emd,
    "cce": losses.cumulative_cross_entropy,
}


def batch(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and labels of which a third are digits, a few do not count."""
    generator = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(*shape, VOCABULARY, generator=generator)
    digits = torch.tensor([index for entry in TOKENS.tokens for index in entry])
    labels = torch.randint(VOCABULARY, shape, generator=generator)
    chosen = digits[torch.randint(len(digits), shape, generator=generator)]
    labels = torch.where(torch.rand(shape, generator=generator) < 0.3, chosen, labels)
    ignored = torch.rand(shape, generator=generator) < 0.1
    return logits.requires_grad_(), labels.where(~ignored, -100)


def distances(logits, labels, name) -> torch.Tensor:
    """Of each row of a number, by a sum over all tokens of one value."""
    found = []
    for row, label in zip(
        logits.flatten(0, -2), labels.flatten().tolist(), strict=True
    ):
        place = [k for k, entry in enumerate(TOKENS.tokens) if label in entry]
        if place:
            p = row.softmax(-1)
            mass = torch.stack([p[list(entry)].sum() for entry in TOKENS.tokens])
            found.append(
                DISTANCES[name]((mass / mass.sum()).log(), torch.tensor(place[0]))
            )
    return torch.stack(found)


@pytest.mark.parametrize("name", DISTANCES)
def test_it_is_cross_entropy_of_all_tokens_and_the_distance_of_numbers(name):
    logits, labels = batch(3, 20)
    n = int((labels != -100).sum())
    ce = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    far = distances(logits, labels, name)
    loss = NumberTokenLoss(TOKENS, name, weight=0.5)
    assert_close(loss(logits, labels), (ce + 0.5 * far.sum()) / n)
    summed = NumberTokenLoss(TOKENS, name, weight=0.5, reduction="sum")
    assert_close(summed(logits, labels), ce + 0.5 * far.sum())
    as_in_the_paper = NumberTokenLoss(TOKENS, name, weight=0.5, average="numbers")
    assert_close(as_in_the_paper(logits, labels), ce / n + 0.5 * far.mean())
    sums = loss.sums(logits, labels)
    assert (int(sums.tokens), int(sums.numbers)) == (n, len(far))


def test_a_criterion_with_its_own_ground():
    logits, labels = batch(2, 20)
    named = NumberTokenLoss(TOKENS, "emd2", ground=TOKENS.line().normalized())
    line = TOKENS.line().normalized()
    given = NumberTokenLoss(TOKENS, nn.SquaredEMDLoss(line, reduction="sum"))
    assert_close(named(logits, labels), given(logits, labels))


def test_parts_of_a_batch_add_up_to_the_whole():
    """Accumulated, packed into one row, or padded: each token counts the same."""
    logits, labels = batch(4, 12)
    function = compute_loss_func(NumberTokenLoss(TOKENS, reduction="sum"), shift=True)
    after = labels[:, 1:]
    n = (after != -100).sum()
    whole = NumberTokenLoss(TOKENS)(logits[:, :-1], after)
    parts = [
        function(SimpleNamespace(logits=z[None]), y[None], num_items_in_batch=n)
        for z, y in zip(logits, labels, strict=True)
    ]
    assert_close(sum(parts), whole)
    assert_close(function({"logits": logits}, labels), whole)
    begun = labels.clone()
    begun[:, 0] = -100  # no text's first token follows the last one of another text
    packed = {"logits": logits.reshape(1, 48, -1)}
    assert_close(function(packed, begun.reshape(1, 48), n), whole)
    padded = F.pad(labels, (0, 5), value=-100)
    wide = {"logits": F.pad(logits, (0, 0, 0, 5), value=7.0)}
    assert_close(function(wide, padded, n), whole)
    assert_close(function(wide, padded, n.expand(2, 1)), whole)  # DataParallel


@pytest.mark.filterwarnings("ignore")  # those of transformers
def test_texts_packed_into_one_row_of_a_model_are_the_texts_one_by_one():
    """By the collator of transformers: positions begin anew, borders are -100."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    model = transformers.LlamaForCausalLM(config)
    _, labels = batch(3, 12)
    texts = [row[row >= 0] for row in labels]
    assert len({len(text) for text in texts}) > 1
    packed = transformers.DataCollatorWithFlattening()(
        [{"input_ids": text.tolist()} for text in texts]
    )
    assert packed["position_ids"].tolist()[0].count(0) == 3
    n = sum(len(text) - 1 for text in texts)
    criterion = NumberTokenLoss(TOKENS, "emd2", weight=2.0, reduction="sum")
    assert criterion.sums(torch.zeros(n + 3, VOCABULARY), torch.cat(texts)).numbers > 3
    function = compute_loss_func(criterion, shift=True)

    inputs = {name: packed[name] for name in ("input_ids", "position_ids")}
    inputs["use_cache"] = False  # which would let a text see those before it
    found = function(model(**inputs), packed["labels"], n)
    slopes = torch.autograd.grad(found, list(model.parameters()))
    wanted = sum(function(model(text[None]), text[None], n) for text in texts)
    assert isinstance(wanted, torch.Tensor)
    assert_close(found, wanted)
    for one, other in zip(
        slopes, torch.autograd.grad(wanted, list(model.parameters())), strict=True
    ):
        assert_close(one, other, rtol=1e-4, atol=1e-6)
    # With borders that count, the first token of a text would follow another text.
    across = function(model(**inputs), packed["input_ids"], n)
    assert (across - found).abs() > 0.1


def test_without_a_number_it_is_the_cross_entropy_and_without_a_label_a_zero():
    logits, labels = batch(2, 12)
    words = labels.where(TOKENS.value(labels).isnan(), -100)
    for average in ("tokens", "numbers"):
        loss = NumberTokenLoss(TOKENS, weight=5.0, average=average)
        found = loss(logits, words)
        wanted = F.cross_entropy(logits.flatten(0, 1), words.flatten())
        assert_close(found, wanted)
        slopes = [torch.autograd.grad(each, logits)[0] for each in (found, wanted)]
        assert_close(*slopes)
        nothing = loss(logits, torch.full_like(labels, -100))
        assert nothing.item() == 0
        assert not torch.autograd.grad(nothing, logits)[0].any()


def test_half_precision_is_computed_in_single():
    logits, labels = batch(2, 30)
    half = logits.detach().bfloat16().requires_grad_()
    loss = NumberTokenLoss(TOKENS, "cce")
    found, wanted = loss(half, labels), loss(half.float(), labels)
    assert found.dtype == torch.float32
    assert_close(found, wanted)
    (slope,) = torch.autograd.grad(found, half)
    assert slope.dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_close(loss(half, labels), wanted)


def test_compiled_as_one_graph_it_is_the_same():
    logits, labels = batch(2, 30)
    loss = NumberTokenLoss(TOKENS, weight=0.5)
    compiled = torch.compile(loss, backend="eager", fullgraph=True)
    found, wanted = compiled(logits, labels), loss(logits, labels)
    assert_close(found, wanted)
    slopes = [torch.autograd.grad(each, logits)[0] for each in (found, wanted)]
    assert_close(*slopes)


def test_as_ntloss_has_it():
    ntloss = pytest.importorskip("ntloss")
    transformers = pytest.importorskip("transformers")

    inner = at_hand.single_digits()
    outer = transformers.PreTrainedTokenizerFast(tokenizer_object=inner)
    tokens = NumberTokens(inner, digits_only=True)
    size = inner.get_vocab_size()
    logits = torch.randn(2, 30, size, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(size, (2, 30), generator=torch.Generator().manual_seed(0))
    theirs = ntloss.NTLoss(outer, vocab_size=size, reweigh=False)(logits, labels)
    sums = NumberTokenLoss(tokens, "emd1").sums(logits, labels)
    assert_close(sums.distance / sums.numbers, theirs)


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"distance": "mse"}, ValueError, "one of emd1, emd2, cce"),
        ({"distance": nn.SquaredEMDLoss()}, ValueError, 'reduction="sum"'),
        ({"average": "rows"}, ValueError, "'tokens' or 'numbers'"),
        ({"reduction": "none"}, ValueError, "'mean' or 'sum'"),
        ({"reduction": "sum", "average": "numbers"}, ValueError, "divides by nothing"),
        ({"tokens": at_hand.byte_level()}, TypeError, "NumberTokens"),
        (
            {
                "distance": nn.SquaredEMDLoss(reduction="sum"),
                "ground": TOKENS.line(),
            },
            ValueError,
            "has its own",
        ),
    ],
)
def test_what_does_not_fit_is_refused(settings, error, text):
    with pytest.raises(error, match=text):
        NumberTokenLoss(**{"tokens": TOKENS, **settings})


def test_classifiers_and_numbers_in_bins_too():
    """One function for every criterion that sums."""
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    outputs = SimpleNamespace(logits=logits)
    labels = torch.tensor([0, 1, 2, 3, 4, -100])
    ce = nn.CrossEntropyLoss(reduction="sum")
    both = nn.MixedLoss([(1.0, ce), (0.5, nn.SquaredEMDLoss(reduction="sum"))])
    mixed = compute_loss_func(both, shift=False)
    mean = nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (0.5, nn.SquaredEMDLoss())])
    assert_close(mixed(outputs, labels), mean(logits, labels))
    assert_close(mixed(outputs, labels, 50), mean(logits, labels) / 10)
    shares = logits.softmax(-1)
    emd2 = compute_loss_func(nn.SquaredEMDLoss(reduction="sum"), shift=False)
    wanted = nn.SquaredEMDLoss()(logits, shares)
    assert_close(emd2(outputs, shares, num_items_in_batch=6), wanted)
    bins = Bins.uniform(0, 5, 5)
    numbers = torch.tensor([0.5, 1, 2, 3.3, 4.9, 2])
    crps = nn.HistogramCRPSLoss(bins, reduction="sum")
    found = compute_loss_func(crps, shift=False)(outputs, numbers, 6)
    assert_close(found, nn.HistogramCRPSLoss(bins)(logits, numbers))


@pytest.mark.parametrize(
    "criterion",
    [
        NumberTokenLoss(TOKENS),
        nn.SquaredEMDLoss(),
        torch.nn.CrossEntropyLoss(),
        nn.MixedLoss([(1.0, nn.CrossEntropyLoss())]),
    ],
)
def test_a_mean_would_be_too_large_by_the_number_of_batches(criterion):
    with pytest.raises(ValueError, match=r'must have reduction="sum".*got \'mean\''):
        compute_loss_func(criterion, shift=True)
