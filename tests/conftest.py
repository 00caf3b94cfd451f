import os

import pytest
import torch
from hypothesis import settings

# Before anything imports Triton: without a GPU its kernels are interpreted.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

torch.set_num_threads(1)  # small tensors: threads only make the suite slow and noisy

# The same examples in every run; `--hypothesis-profile nightly` looks for others.
settings.register_profile(
    "offby", derandomize=True, deadline=None, max_examples=15, database=None
)
settings.register_profile("nightly", deadline=None, max_examples=200, print_blob=True)
settings.load_profile("offby")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """The same draws whatever ran before, in any order and on any worker."""
    torch.manual_seed(0)
