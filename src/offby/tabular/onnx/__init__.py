"""Estimators as ONNX graphs, for serving without offby."""
