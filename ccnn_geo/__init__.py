"""Continuous convolutional neural networks for sequences, images, voxels and point clouds."""
