"""Remotes that are real: a folder, and SSH to an sshd that the test starts on loopback."""

import contextlib
import getpass
import hashlib
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.workflow, pytest.mark.remote]

PULLED = ("results/edge.dvc", "results/atlas.dvc")


class Server:
    """An sshd of our own: its address, and the client's key and home."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home, self.store = folder, folder / "home", folder / "store"
        (self.home / ".ssh").mkdir(parents=True)
        for name in ("host", "other", "client"):
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name]
            subprocess.run(words, check=True, capture_output=True)
        shutil.copy(folder / "client.pub", folder / "authorized")
        self.port = free_port()
        config = {
            "ListenAddress": "127.0.0.1", "Port": self.port, "HostKey": folder / "host", "PidFile": folder / "pid",
            "AuthorizedKeysFile": folder / "authorized", "StrictModes": "no", "UsePAM": "no",
            "PasswordAuthentication": "no", "Subsystem": "sftp internal-sftp", "MaxStartups": "100",
        }  # fmt: skip
        (folder / "config").write_text("".join(f"{key} {value}\n" for key, value in config.items()))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        words = [shutil.which("sshd"), "-D", "-f", folder / "config", "-E", folder / "log"]
        self.process = subprocess.Popen(words)
        wait_for(self.port)

    def trust(self, key: str, *ports: int) -> None:
        """Writes ``known_hosts``: at each port, the host with that key."""
        public = (self.folder / f"{key}.pub").read_text()
        (self.home / ".ssh" / "known_hosts").write_text("".join(f"[127.0.0.1]:{port} {public}" for port in ports))

    def remote(self, repo, port: int) -> None:
        """Makes the server the only remote of a checkout."""
        url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{self.store}"
        (repo.path / ".dvc" / "config.local").write_text(
            f'[core]\n    remote = far\n[remote "far"]\n    url = {url}\n    keyfile = {self.folder / "client"}\n'
            "    verify = true\n"
        )
        repo.env["HOME"] = str(self.home)


class Proxy:
    """Passes bytes between a client and the server; the first connection is cut after some bytes one way."""

    def __init__(self, port: int, cut: int, way: str) -> None:
        self.target, self.left, self.way, self.cuts = port, cut, way, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for way, (source, sink) in {"up": (client, server), "down": (server, client)}.items():
                threading.Thread(target=self.pump, args=(way, source, sink), daemon=True).start()

    def pump(self, way: str, source: socket.socket, sink: socket.socket) -> None:
        try:
            while content := source.recv(4096):
                if way == self.way and not self.cuts:
                    content, self.left = content[: self.left], self.left - len(content)
                sink.sendall(content)
                if way == self.way and not self.cuts and self.left <= 0:
                    self.cuts += 1
                    break
        except OSError:
            pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"no sshd on port {port}")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if shutil.which("sshd") is None:
        pytest.skip("no sshd here: Debian's openssh-server has it")
    pytest.importorskip("dvc_ssh", reason="no dvc-ssh here: it is in the extra dev")
    running = Server(tmp_path_factory.mktemp("sshd"))
    yield running
    running.process.terminate()
    running.process.wait()


@pytest.fixture
def near(published, server, tmp_path):
    """A published checkout whose remote is the server, which is empty and trusted."""
    shutil.rmtree(server.store, ignore_errors=True)
    repo = published.copy(tmp_path / "near")
    server.remote(repo, server.port)
    server.trust("host", server.port)
    return repo


def far_clone(repo, to, server, port):
    clone = repo.clone(to)
    server.remote(clone, port)
    return clone


def objects(store: Path) -> dict[Path, bytes]:
    """What the remote holds under the name of a digest."""
    found = [path for path in store.rglob("*") if path.is_file() and len(path.parent.name + path.stem) == 32]
    return {path: path.read_bytes() for path in found}


def whole(store: Path) -> bool:
    """Whether every object has the digest that it is named by."""
    return all(
        hashlib.md5(content).hexdigest() == path.parent.name + path.stem for path, content in objects(store).items()
    )


def test_over_ssh_a_clone_gets_one_study_or_all_and_runs_nothing(near, server, tmp_path):
    assert near.dvc("push", *PULLED).returncode == 0
    clone = far_clone(near, tmp_path / "clone", server, server.port)
    done = clone.dlatlas("pull", "edge")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("edge: cube ")
    assert not (clone.path / "results" / "atlas").exists()
    assert clone.jobs() == {"atlas": 1}
    assert clone.dvc("pull", *PULLED).returncode == 0
    assert clone.jobs() == {}


def test_dvc_itself_does_not_check_the_host_key(near, server, tmp_path):
    """Why ours does: if this fails, DVC has learned it and `dlatlas.publishing.ssh` can go."""
    server.trust("other", server.port)
    assert near.python("-m", "dvc", "push", "results/edge.dvc").returncode == 0


@pytest.mark.parametrize("key", ["other", None])
def test_a_host_with_another_or_an_unknown_key_is_refused(near, server, key):
    server.trust(*((key, server.port) if key else ("host",)))
    done = near.dlatlas("publish", "--scale", "smoke", "edge")
    assert done.returncode == 1
    assert "Host key is not trusted" in done.stderr
    assert "ssh-keyscan" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not server.store.exists()
    done = near.dlatlas("pull", "edge")
    assert done.returncode == 1
    assert "Host key is not trusted" in done.stderr


def test_a_push_cut_in_the_middle_harms_nothing_and_the_next_one_finishes_it(near, server, tmp_path):
    proxy = Proxy(server.port, 120_000, "up")
    server.remote(near, proxy.port)
    server.trust("host", server.port, proxy.port)
    done = near.dvc("push", *PULLED)
    assert done.returncode != 0
    assert proxy.cuts == 1
    before = objects(server.store)
    assert whole(server.store)
    done = near.dlatlas("publish", "--scale", "smoke")
    assert done.returncode == 0, done.stderr
    assert len(before) < len(objects(server.store))
    assert whole(server.store)
    clone = far_clone(near, tmp_path / "clone", server, server.port)
    assert clone.dlatlas("pull", "edge").returncode == 0


def test_a_pull_cut_in_the_middle_harms_nothing_and_the_next_one_finishes_it(near, server, tmp_path):
    assert near.dvc("push", *PULLED).returncode == 0
    proxy = Proxy(server.port, 120_000, "down")
    server.trust("host", server.port, proxy.port)
    clone = far_clone(near, tmp_path / "clone", server, proxy.port)
    done = clone.dlatlas("pull")
    assert done.returncode == 1
    assert "run again to go on" in done.stderr
    assert done.stderr.count("\n") == 1
    assert proxy.cuts == 1
    assert whole(clone.path / ".dvc" / "cache")
    assert not (clone.path / "results" / "edge").exists()
    done = clone.dlatlas("pull")
    assert done.returncode == 0, done.stderr
    assert clone.jobs() == {}


def test_a_corrupted_object_is_named_and_nothing_is_changed(published, tmp_path):
    repo, store = published.copy(tmp_path / "repo"), tmp_path / "store"
    shutil.copytree(published.path.parent / "store", store)
    settings = repo.path / ".dvc" / "config.local"
    settings.write_text(f'[core]\n    remote = near\n[remote "near"]\n    url = {store}\n    verify = true\n')
    clone = repo.clone(tmp_path / "clone")
    shutil.copy(settings, clone.path / ".dvc")
    figure = (repo.path / "results" / "edge" / "figure.png").read_bytes()
    (spoilt,) = [path for path, content in objects(store).items() if content == figure]
    spoilt.chmod(0o644)
    spoilt.write_bytes(figure[:-1] + bytes([figure[-1] ^ 1]))
    done = clone.dlatlas("pull", "edge")
    assert done.returncode == 1
    assert "results/edge/figure.png: missing or corrupted in the remote, nothing was changed here" in done.stderr
    names = re.search(r"delete (\S+) and (\S+) in files/md5 there", done.stderr).groups()
    assert store / "files/md5" / names[0] == spoilt
    assert not (clone.path / "results" / "edge").exists()
    for name in names:
        (store / "files/md5" / name).unlink()
    assert repo.dlatlas("publish", "--scale", "smoke").returncode == 0
    assert clone.dlatlas("pull", "edge").returncode == 0
    assert clone.jobs() == {"atlas": 1}


def test_no_server_is_one_line(near, server):
    server.remote(near, free_port())
    done = near.dlatlas("pull")
    assert done.returncode == 1
    assert "Connect call failed" in done.stderr
    assert done.stderr.count("\n") == 1
