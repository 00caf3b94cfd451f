"""Networks and boosted trees together, as scikit-learn estimators."""
