"""Graphs of ONNX, run by ONNX Runtime. This folder is the only home of both."""
