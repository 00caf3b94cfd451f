"""Which tokens are numbers, in tokenizers of four kinds."""

import pytest
import torch

pytest.importorskip("tokenizers")

from offby import Line
from offby.integrations.transformers import NumberTokens
from tests.integrations import tokenizers_at_hand as at_hand

KINDS = {
    "byte level": at_hand.byte_level,
    "word piece": at_hand.word_piece,
    "unigram": at_hand.unigram,
    "single digits": at_hand.single_digits,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_token_found_decodes_to_its_value_and_none_is_missed(kind):
    """Against the tokenizer's own decoding, which knows nothing of our rules."""
    tokenizer = KINDS[kind]()
    found = NumberTokens(tokenizer)
    value_of = {
        index: value
        for value, entry in zip(found.values, found.tokens, strict=True)
        for index in entry
    }
    for token, index in tokenizer.get_vocab().items():
        # After another token, so that no decoder takes the space away.
        before = tokenizer.token_to_id("a")
        assert before is not None
        text = tokenizer.decode([before, index])[1:]
        text = text.replace("##", "").strip()
        if text.isascii() and text.replace(".", "", 1).lstrip("-").isdigit():
            if text.endswith("."):
                assert index not in value_of
            else:
                assert value_of.pop(index) == float(text), token
    assert value_of == {}
    assert set(found.values) >= set(range(10))
    assert found.line() == Line(found.values)


def test_values_of_an_encoded_sentence():
    tokenizer = at_hand.byte_level()
    found = NumberTokens(tokenizer)
    ids = torch.tensor(tokenizer.encode("the sum of 12 and 3 is -5 in 2019").ids)
    values = found.value(ids)
    assert values[~values.isnan()].tolist() == [12, 3, 5, 2019]
    assert found.value(torch.tensor([-100, 10**6])).isnan().all()


def test_signs_and_decimals_where_the_tokenizer_has_such_pieces():
    found = NumberTokens(
        {"-3": 0, "▁-3": 1, "+4": 2, "2.5": 3, ".5": 4, "Ġ0.5": 5, "7</w>": 6}
        | {"5.": 7, "1,000": 8, "1e5": 9, "-": 10, ".": 11, "inf": 12, "nan": 13}
        | {"1_000": 14, "3rd": 15, "<0x35>": 16, "8@@": 17, "": 18, "▁": 19}
    )
    assert dict(zip(found.values, found.tokens, strict=True)) == {
        -3.0: (0, 1),
        0.5: (4, 5),
        2.5: (3,),
        4.0: (2,),
        7.0: (6,),
        8.0: (17,),
    }


def test_tokens_that_are_bytes_are_read_as_text():
    """As in tiktoken's tables; parts of a character stand beside each other."""
    found = NumberTokens(
        {b"5": 0, b" 7": 1, "5": 2, b"\xd9": 3, b"\xda": 4, "٣".encode(): 5}
    )
    assert (found.values, found.tokens) == ((5, 7), ((0, 2), (1,)))
    assert found.other_scripts == ("٣",)


def test_single_digits_only():
    found = NumberTokens(at_hand.byte_level(), digits_only=True)
    assert found.values == tuple(map(float, range(10)))


@pytest.mark.parametrize("kind", KINDS)
def test_digits_of_other_scripts_are_left_out_and_named(kind):
    found = NumberTokens(KINDS[kind]())
    written = {
        at_hand.shown(token) if kind in ("byte level", "single digits") else token
        for token in found.other_scripts
    }
    assert {"٣", "\uff15"} <= {each.strip(" #▁") for each in written}
    assert "left out" in repr(found)


def test_a_vocabulary_of_another_script_is_refused_with_its_tokens():
    with pytest.raises(ValueError, match=r"at least two numbers.*got 0.*'٣', '٤'"):
        NumberTokens({"٣": 0, "٤": 1, "a": 2})
    with pytest.raises(ValueError, match="got 1"):
        NumberTokens({"5": 0, " 5": 1, "▁5": 2})
    with pytest.raises(TypeError, match="tokenizer must be one of"):
        NumberTokens(["1", "2"])


def test_special_tokens_are_no_numbers_and_the_tokenizer_is_left_alone():
    tokenizer = at_hand.single_digits()
    before = tokenizer.to_str()
    tokens = NumberTokens(tokenizer)
    assert tokenizer.to_str() == before
    tokenizer.add_special_tokens(["42"])
    assert NumberTokens(tokenizer) == tokens
    tokenizer.add_tokens(["42"])
    assert NumberTokens(tokenizer).values[-1] == 42


def test_a_tokenizer_of_transformers_is_read_as_the_one_it_wraps():
    transformers = pytest.importorskip("transformers")
    inner = at_hand.byte_level()
    outer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<eos>", pad_token="<pad>"
    )
    assert NumberTokens(outer) == NumberTokens(inner)
