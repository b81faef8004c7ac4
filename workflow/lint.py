"""`snakemake --lint` as a gate: everything it finds, but for one lint that does not apply.

It wants a conda environment or a container in each rule. Here the whole workflow runs in one environment made from
requirements.lock, the same for Snakemake and its jobs.
"""

import re
import subprocess
import sys
from pathlib import Path

WAIVED = "Specify a conda environment or container for each rule."


def main() -> int:
    """Prints what is left and returns 1 if there is any."""
    command = [sys.executable, "-m", "snakemake", "--lint"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    found = re.findall(r"^Lints for .*:$|^ {4}\* .*$", done.stderr + done.stdout, flags=re.MULTILINE)
    left = [line for line in found if line.startswith("    * ") and not line.startswith(f"    * {WAIVED}")]
    if left or (done.returncode and not found):
        sys.stderr.write(done.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
