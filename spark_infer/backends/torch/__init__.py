"""Torch: what is stored in a bundle, and how it runs on the CPU and on CUDA."""
