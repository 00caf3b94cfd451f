"""Real tokenizers, trained on a tiny text here: no download, a few milliseconds."""

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

SPECIAL = ["<pad>", "<eos>", "<unk>"]
TEXT = [f"the sum of {a} and {b} is {a + b} ." for a in range(40) for b in (3, 17)]
TEXT += [
    "it was -5 or 2.75 degrees , in 1999 and 2019",
    "at ٣ and \uff15 it was x²",
] * 9


def byte_level(text: list[str] = TEXT) -> Tokenizer:
    """As GPT-2: BPE on bytes, numbers of several digits, with a leading space."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text, trainer)
    return tokenizer


def word_piece(text: list[str] = TEXT) -> Tokenizer:
    """As BERT: pieces inside a word begin with ##."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=120, special_tokens=SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator(text, trainer)
    return tokenizer


def unigram(text: list[str] = TEXT) -> Tokenizer:
    """As T5: pieces with a metaspace, signs and decimals kept together."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=130, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(text, trainer)
    return tokenizer


def single_digits(text: list[str] = TEXT) -> Tokenizer:
    """As Llama 2 and its kin: one token for each digit."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator(text, trainer)
    return tokenizer


def shown(token: str) -> str:
    """The text of a byte-level token."""
    return decoders.ByteLevel().decode([token])
