"""Trained models on other data, at other depths, with other solvers and with noisy inputs."""
