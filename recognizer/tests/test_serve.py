"""Starting the site: several at once, and what an operator gets wrong."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from mlcore import places


def start(var: Path, **variables: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "serve"],
        cwd=places.REPOSITORY,
        env={**os.environ, "DIGITSITE_VAR": str(var), "PORT": "0", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def refusal(var: Path, **variables: str) -> str:
    """Return what a start that fails says, in one sentence."""
    process = start(var, **variables)
    said, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in said
    return said


class TestServe:
    def test_two_first_starts_share_an_empty_data_folder(self, tmp_path: Path) -> None:
        servers = [start(tmp_path / "var") for _ in range(2)]

        for server in servers:
            assert server.stdout
            assert any("Digitsite is at" in line for line in server.stdout)

        for server in servers:
            server.terminate()
            server.communicate(timeout=40)
            assert server.returncode == 0

    def test_a_taken_port_is_named_with_a_way_out(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]

            said = refusal(tmp_path, PORT=str(port))

        assert f"port {port}" in said
        assert f"PORT={port + 1}" in said

    def test_a_wrong_value_is_one_sentence(self, tmp_path: Path) -> None:
        assert "PORT='x'" in refusal(tmp_path, PORT="x")

    def test_a_data_folder_that_is_a_file_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        assert "DIGITSITE_VAR" in refusal(tmp_path / "file")

    def test_a_database_that_cannot_be_is_named(self, tmp_path: Path) -> None:
        said = refusal(tmp_path, DATABASE_URL="sqlite:////nowhere/x.sqlite3")

        assert "DATABASE_URL" in said
