"""Estimators of scikit-learn, stored as the graphs that skl2onnx makes of them."""
