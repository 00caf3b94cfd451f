import torch
from hypothesis import settings

torch.set_num_threads(1)  # small tensors: threads only make the suite slow and noisy

settings.register_profile(
    "offby", derandomize=True, deadline=None, max_examples=25, database=None
)
settings.load_profile("offby")
