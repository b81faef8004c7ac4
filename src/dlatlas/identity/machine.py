"""What machine this is."""

import platform
from pathlib import Path


def processor() -> str:
    """The processor's name, such as ``Intel(R) Xeon(R) Gold 6338 CPU``, or its architecture where no name is known."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor() or platform.machine()])[0]
