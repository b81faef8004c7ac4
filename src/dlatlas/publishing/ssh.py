"""SSH remotes whose host key is checked: DVC's own file system accepts any."""

from typing import Any

from dvc_ssh import SSHFileSystem


class CheckedSSHFileSystem(SSHFileSystem):
    """DVC's SSH file system, but for a host key that must be in ``known_hosts``, as the ssh command wants it."""

    def _prepare_credentials(self, **config: Any) -> dict[str, Any]:  # noqa: ANN401
        # An empty tuple is asyncssh's default: the files that ~/.ssh/config and OpenSSH name. sshfs would set None.
        return {**super()._prepare_credentials(**config), "known_hosts": ()}
