"""The instruments: measure the kernels, keep the measurement as data, show it."""
