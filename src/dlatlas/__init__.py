"""The Deep Learning Theory Atlas: claims as sweeps, sweeps as cubes, cubes as figures with a verdict."""

__version__ = "0.1.0"
