"""Gradient boosting on losses that know distance, as scikit-learn estimators."""
