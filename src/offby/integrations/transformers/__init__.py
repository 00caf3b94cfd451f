"""Language models that know how far off a number is: docs/language-models.md.

Nothing of `transformers` is imported: a tokenizer is asked for its vocabulary, and what
`Trainer` wants is a function. So any tokenizer and any training loop will do.
"""

from offby.integrations.transformers._number_token_loss import (
    NumberTokenLoss,
    TokenSums,
)
from offby.integrations.transformers._number_tokens import NumberTokens
from offby.integrations.transformers._trainer import compute_loss_func

__all__ = ["NumberTokenLoss", "NumberTokens", "TokenSums", "compute_loss_func"]
