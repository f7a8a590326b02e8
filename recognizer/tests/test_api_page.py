"""The examples of docs/api.md: all of them work, and each call has one."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import schemathesis
from schemathesis.core.result import Ok

from mlcore import paths
from recognizer.tests.test_submissions_api import seven_png
from tools.server import Server

PAGE = (paths.REPOSITORY / "docs" / "api.md").read_text()
_PLACES = (
    ("$ID", "submission_id"),
    ("$HOOK", "webhook_id"),
    ("model.tflite", "name"),
)
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.S)


def calls() -> set[tuple[str, str]]:
    """Return method and path of each curl line that calls the API."""
    found = set()
    for line in "".join(BLOCKS).splitlines():
        if "curl " not in line:
            continue
        words = shlex.split(line[line.index("curl ") :].split(" | ")[0].rstrip(")"))
        (url,) = [word for word in words if word.startswith("$SITE")]
        sends = {"-d", "-F", "--data-binary"} & set(words)
        method = "POST" if sends else "GET"
        if "-X" in words:
            method = words[words.index("-X") + 1]
        path = url.removeprefix("$SITE").split("?")[0]
        if path.startswith("/api/"):
            for short, name in _PLACES:
                path = path.replace(short, f"{{{name}}}")
            found.add((method, path))
    return found


@pytest.fixture(scope="module")
def _curl() -> None:
    """Bring curl where it is missing and we may."""
    if shutil.which("curl") is None:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "curl"], check=True)


class TestExamples:
    @pytest.mark.usefixtures("_curl")
    def test_work_as_they_stand(self, server: Server, tmp_path: Path) -> None:
        server.make_user("reader", is_reviewer=True)
        server.sign_in("root", group="Administrators")
        (tmp_path / "seven.png").write_bytes(seven_png())
        script = "".join(BLOCKS).replace("http://127.0.0.1:8000", server.url)
        quiet = 'curl() { command curl -sS --fail-with-body -w "\\n" "$@"; }\n'

        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", quiet + script],
            cwd=tmp_path,
            env={
                **os.environ,
                "TOKEN": server.make_token("reader", "read,review"),
                "ADMIN": server.make_token("root", "read,write"),
            },
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
        kept = re.findall(r'^{"id":"([^"]+)"', done.stdout, re.M)
        assert kept[4] == kept[5]  # one Idempotency-Key, one drawing
        assert kept[4] not in kept[:4]
        assert (tmp_path / "mine.ndjson").read_text().count("\n") == 6
        assert '"may_train":true' in done.stdout
        assert '"rejected":"ambiguous"' in done.stdout

    def test_show_every_call(self) -> None:
        described = set()
        committed = paths.REPOSITORY / "docs" / "openapi.yaml"
        for result in schemathesis.openapi.from_path(committed).get_all_operations():
            assert isinstance(result, Ok)
            described.add((result.ok().method.upper(), result.ok().path))

        assert calls() - {("GET", "/api/schema/")} == described
