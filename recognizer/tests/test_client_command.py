"""The client's command line, against the real server."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from digitsite_client.command import main

from mlcore import paths
from recognizer.tests.test_submissions_api import seven_png
from tools.server import Server


@pytest.fixture
def seven(tmp_path: Path) -> str:
    path = tmp_path / "seven.png"
    path.write_bytes(seven_png())
    return str(path)


@pytest.fixture
def token(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the environment."""
    server.make_user("command")
    made = server.make_token("command", "read,write")
    monkeypatch.setenv("DIGITSITE_TOKEN", made)


class TestRead:
    def test_prints_the_digit(
        self, server: Server, seven: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["--url", server.url, "read", seven]) == 0

        path, digit, confidence = capsys.readouterr().out.split()
        assert (path, digit) == (seven, "7")
        assert confidence.endswith("%")

    def test_goes_on_after_a_file_that_is_no_picture(
        self,
        server: Server,
        seven: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        text = tmp_path / "notes.txt"
        text.write_text("no picture")

        assert main(["--url", server.url, "read", str(text), seven]) == 1

        printed = capsys.readouterr()
        assert printed.out.startswith(f"{seven}\t7")
        assert printed.err.startswith(f"digitsite: {text}: ")

    def test_names_a_file_that_is_missing(
        self, server: Server, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["--url", server.url, "read", "nowhere.png"]) == 1

        told = capsys.readouterr().err
        assert told == "digitsite: nowhere.png: No such file or directory\n"

    @pytest.mark.parametrize("url", ["localhost:8000", "file:///etc", "http://", ""])
    def test_refuses_what_is_no_address_of_a_site(
        self, seven: str, capsys: pytest.CaptureFixture[str], url: str
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["--url", url, "read", seven])

        assert ended.value.code == 2
        assert "such as https://digits.example.org" in capsys.readouterr().err

    def test_says_when_the_site_does_not_answer(
        self,
        seven: str,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("time.sleep", lambda _: None)

        assert main(["--url", "http://127.0.0.1:9", "read", seven]) == 1

        assert "did not answer" in capsys.readouterr().err


class TestSubmit:
    @pytest.mark.usefixtures("token")
    def test_stores_pictures_and_export_brings_them_back(
        self,
        server: Server,
        seven: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        mine = tmp_path / "mine.ndjson"

        assert main(["--url", server.url, "submit", seven, seven]) == 0
        assert main(["--url", server.url, "export", str(mine)]) == 0

        *stored, exported = capsys.readouterr().out.splitlines()
        ids = [line.split("\t")[1] for line in stored]
        assert [json.loads(line)["id"] for line in mine.read_text().splitlines()] == ids
        assert exported == str(mine)

    @pytest.mark.parametrize("command", ["submit", "export"])
    def test_needs_a_token(
        self,
        command: str,
        seven: str,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.delenv("DIGITSITE_TOKEN", raising=False)

        with pytest.raises(SystemExit) as caught:
            main([command, seven])

        assert caught.value.code == 2
        assert f"{command} needs --token" in capsys.readouterr().err


class TestModule:
    def test_runs_without_anything_installed(self) -> None:
        done = subprocess.run(
            [
                sys.executable,
                "-I",
                "-S",
                "-c",
                "import sys; sys.path.insert(0, 'src'); "
                "import digitsite_client.__main__",
            ],
            cwd=paths.REPOSITORY / "clients/python",
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 2
        assert "usage: digitsite" in done.stderr
