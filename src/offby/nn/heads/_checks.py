"""What the sizes of a head must be."""


def check_sizes(in_features: int, num_classes: int) -> None:
    """Refuse a head without input, or with a single class."""
    if in_features < 1:
        raise ValueError(
            f"in_features must be at least 1, got {in_features}; it is the length of "
            "the last axis of the input"
        )
    if num_classes < 2:
        raise ValueError(
            f"num_classes must be at least 2, got {num_classes}; of one class there is "
            "nothing to learn"
        )
