"""A real SLURM cluster of its own on one machine, for tests: munged, slurmctld and a few slurmd with fake GPUs.

    python tests/workflow/slurm/lab.py FOLDER      prints what to export, then obeys lines on standard input:
        stop NAME | kill NAME | start NAME         NAME is slurmctld or a node, n1, n2, ...
    and takes everything down when its input ends, whoever ended it.

All its files lie under FOLDER; no other cluster's configuration is read or written. Needs Debian's slurm-wlm and munge,
and root (munged insists); no systemd, no cgroups; of accounting only the record of ended jobs, in jobs.txt. The nodes
share this machine's cores. A fake GPU is a character device that does nothing: SLURM schedules it and sets
CUDA_VISIBLE_DEVICES.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

NODES, CPUS, MEMORY = ("n1", "n2"), 2, 6000
GPUS = ("/dev/null", "/dev/zero")
"""The fake GPUs of the first node, which alone is in the partition ``gpu``."""

CONF = """
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool.%n
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.%n.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.%n.log
SlurmctldPort={port}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SlurmdTimeout=10
SlurmctldTimeout=30
ReturnToService=2
MpiDefault=none
KillWait=2
OverTimeLimit=0
InactiveLimit=0
MinJobAge=300
GresTypes=gpu
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={home}/jobs.txt
"""


class Lab:
    """The daemons, each a child of this process in the foreground."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.running: dict[str, subprocess.Popen] = {}
        for name in ("state", *(f"spool.{node}" for node in NODES)):
            (home / name).mkdir(parents=True, exist_ok=True)
        home.chmod(0o755)
        self._configure()
        os.environ["PATH"] = f"{self._srun()}:{os.environ['PATH']}:/usr/sbin:/sbin"
        os.environ["SLURM_CONF"] = str(home / "slurm.conf")
        self.commands = {
            "munged": self._munged(),
            "slurmctld": ["slurmctld", "-D"],
            **{node: ["slurmd", "-D", "-N", node] for node in NODES},
        }

    def _configure(self) -> None:
        ports = _free_ports(1 + len(NODES))
        host = socket.gethostname().partition(".")[0]
        lines = [CONF.format(home=self.home, host=host, port=ports[0])]
        for node, port in zip(NODES, ports[1:]):
            gres = f" Gres=gpu:{len(GPUS)}" if node == NODES[0] else ""
            where = f"NodeHostname={host} NodeAddr=127.0.0.1 Port={port}"
            lines.append(f"NodeName={node} {where} CPUs={CPUS} RealMemory={MEMORY}{gres}")
        lines.append(f"PartitionName=cpu Nodes={','.join(NODES)} Default=YES DefaultTime=10 MaxTime=1-0 State=UP")
        lines.append(f"PartitionName=gpu Nodes={NODES[0]} DefaultTime=10 MaxTime=10:00:00 State=UP")
        (self.home / "slurm.conf").write_text("\n".join(lines) + "\n")
        devices = "".join(f"NodeName={NODES[0]} Name=gpu File={device}\n" for device in GPUS)
        (self.home / "gres.conf").write_text(devices)

    def _srun(self) -> Path:
        """A folder with an srun that knows this cluster: the plugin hides SLURM_CONF from the one inside a job."""
        folder = self.home / "bin"
        folder.mkdir(exist_ok=True)
        script = folder / "srun"
        script.write_text(f'#!/bin/sh\nSLURM_CONF={self.home / "slurm.conf"} exec {shutil.which("srun")} "$@"\n')
        script.chmod(0o755)
        return folder

    def _munged(self) -> list[str]:
        key = self.home / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        names = {"socket": "munge.socket", "pid-file": "munge.pid", "log-file": "munge.log", "seed-file": "munge.seed"}
        files = [f"--{option}={self.home / name}" for option, name in names.items()]
        return ["munged", "--foreground", "--force", f"--key-file={key}", *files]

    def start(self, name: str) -> None:
        """Starts a daemon."""
        log = (self.home / f"{name}.out").open("ab")
        self.running[name] = subprocess.Popen(
            self.commands[name], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )

    def end(self, name: str, kill: bool = False) -> None:
        """Stops a daemon, or kills it as a crash would: a node with all that runs on it."""
        process = self.running.pop(name)
        victims = _on_node(self.home, name) if kill else []
        process.kill() if kill else process.terminate()
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)

    def up(self) -> None:
        """Starts all of them and waits until every node is idle.

        Raises:
            TimeoutError: a daemon or node that does not come up.
        """
        self.start("munged")
        _wait("munged", lambda: (self.home / "munge.socket").exists())
        self.start("slurmctld")
        _wait("slurmctld", lambda: "is UP" in said("scontrol", "ping"))
        for node in NODES:
            self.start(node)
        _wait("nodes", lambda: said("sinfo", "-h", "-N", "-p", "cpu", "-o", "%T").split() == ["idle"] * len(NODES))

    def down(self) -> None:
        """Cancels every job, then stops exactly what was started."""
        if "slurmctld" in self.running:
            said("scancel", "--full", "--signal=KILL", "--user=root")
            said("scancel", "--user=root")
            with contextlib.suppress(TimeoutError):
                _wait("jobs", lambda: not said("squeue", "-h", "-t", "R,CG"), 10)
        for name in reversed(list(self.running)):
            self.end(name)
        for process in _steps(self.home):  # of nodes that were killed
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, 9)


def said(*command: str) -> str:
    """What a SLURM command prints; nothing if it fails or hangs."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout
    except subprocess.TimeoutExpired:
        return ""


def _wait(what: str, ready, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not ready within {seconds:g} s")
        time.sleep(0.1)


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _processes(home: Path) -> dict[int, tuple[str, list[bytes]]]:
    """Name and environment of each process that belongs to this cluster."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            environment = (folder / "environ").read_bytes().split(b"\0")
            if f"SLURM_CONF={home / 'slurm.conf'}".encode() in environment:
                found[int(folder.name)] = (folder / "comm").read_text().strip(), environment
    return found


def _steps(home: Path) -> list[int]:
    """The slurmstepd of this cluster that outlived their slurmd."""
    return [number for number, (name, _) in _processes(home).items() if name.startswith("slurmstepd")]


def _on_node(home: Path, node: str) -> list[int]:
    """What runs on a node: the jobs' processes, and the slurmstepd above them."""
    processes = _processes(home)
    jobs = {n for n, (_, environment) in processes.items() if f"SLURMD_NODENAME={node}".encode() in environment}
    parents = set()
    for number in jobs:
        with contextlib.suppress(OSError):
            parents.add(int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1]))
    return [*(n for n in parents if processes.get(n, ("",))[0].startswith("slurmstepd")), *jobs]


def main() -> None:
    """Brings the cluster up, obeys, takes it down."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    lab = Lab(Path(sys.argv[1]).resolve())
    try:
        lab.up()
        print(f"export SLURM_CONF={lab.home / 'slurm.conf'} PATH={lab.home / 'bin'}:$PATH", flush=True)
        for line in sys.stdin:
            word, name = line.split()
            lab.start(name) if word == "start" else lab.end(name, kill=word == "kill")
            print("done", flush=True)
    finally:
        lab.down()


if __name__ == "__main__":
    main()
