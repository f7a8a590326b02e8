"""The committed OpenAPI description is the code's, and the server keeps to it.

Schemathesis makes requests of the committed description, right ones and wrong ones, and
judges each answer of the real server by all its checks; then it follows the links from
each stored drawing on.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from django.test import Client
from schemathesis import APIOperation
from schemathesis.core.result import Ok

from mlcore import paths
from recognizer.api.contract import incoming, outgoing
from recognizer.api.contract.base import EXAMPLES
from recognizer.api.schema import FOLLOWING
from tools.server import Server

COMMITTED = paths.REPOSITORY / "docs" / "openapi.yaml"
COMPONENTS = yaml.safe_load(COMMITTED.read_text())["components"]["schemas"]
BESIDE = Path(__file__).parent


class TestCommittedSchema:
    def test_is_what_the_code_says(self, tmp_path: Path) -> None:
        made = tmp_path / "openapi.yaml"
        subprocess.run(
            [
                *(sys.executable, "manage.py", "spectacular", "--validate"),
                *("--fail-on-warn", "--file", str(made)),
            ],
            cwd=paths.REPOSITORY,
            check=True,
        )

        assert made.read_text() == COMMITTED.read_text(), (
            "run .venv/bin/python manage.py spectacular --file docs/openapi.yaml"
        )

    @pytest.mark.django_db
    def test_is_served(self) -> None:
        answer = Client().get("/api/schema/")

        assert answer.status_code == 200
        assert answer.content.decode() == COMMITTED.read_text()

    def test_has_an_example_in_each_json_body(self) -> None:
        for operation in operations():
            raw = operation.definition.raw
            for body in (raw.get("requestBody", {}), *raw["responses"].values()):
                json = body.get("content", {}).get("application/json")
                assert json is None or has_example(json["schema"]), operation.label

    @pytest.mark.parametrize("name", EXAMPLES)
    def test_has_examples_that_are_right(self, name: str) -> None:
        model = getattr(incoming, name, None) or getattr(outgoing, name)

        model.model_validate(EXAMPLES[name], strict=False)


def operations() -> list[APIOperation]:
    """Return what the committed description offers."""
    found = [*schemathesis.openapi.from_path(COMMITTED).get_all_operations()]
    return [result.ok() for result in found if isinstance(result, Ok)]


def has_example(schema: dict[str, Any]) -> bool:
    """Whether a body, or a part of it, is shown by an example."""
    if "$ref" in schema:
        return has_example(COMPONENTS[schema["$ref"].rpartition("/")[2]])
    inner = [*schema.get("anyOf", ()), *schema.get("properties", {}).values()]
    if "items" in schema:
        inner.append(schema["items"])
    return "examples" in schema or any(map(has_example, inner))


@pytest.mark.long
class TestServer:
    def test_keeps_to_the_schema(self, server: Server, tmp_path: Path) -> None:
        server.sign_in("schema", group="Administrators")
        token = server.make_token("schema", "read,write,review")

        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                *("--config-file", str(BESIDE / "schemathesis.toml")),
                *("run", str(COMMITTED), "--url", server.url, "--checks=all"),
                *("--header", f"Authorization: Bearer {token}"),
                *("--seed=9", "--max-examples=25", "--no-color"),
            ],
            cwd=tmp_path,
            env={
                **os.environ,
                "SCHEMATHESIS_HOOKS": "recognizer.tests.schemathesis_hooks",
                "PYTHONPATH": str(paths.REPOSITORY),
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert f"Tested: {len(operations())}" in done.stdout
        for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
            assert f"✅ {phase}" in done.stdout
        (links,) = re.findall(r"API Links: +(\d+) covered", done.stdout)
        assert int(links) >= len(FOLLOWING)
