"""The documentation is true of the code."""

import re
from pathlib import Path

import pytest
from django.urls import resolve

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PAGES = ["README.md", *(str(p.relative_to(ROOT)) for p in (ROOT / "docs").glob("*.md"))]


class TestReadme:
    def test_names_commands_that_exist_and_all_of_them(self) -> None:
        targets = set(
            re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.M)
        )

        assert set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.M)) == targets - {
            "help"
        }


class TestApiPage:
    def test_names_addresses_that_exist(self) -> None:
        text = (ROOT / "docs/api.md").read_text()
        called = set(re.findall(r"`(?:GET|POST|DELETE) ([a-z{}./]+)`", text))

        assert len(called) >= 4
        for address in called:
            an_id = "01a20aab-e832-7642-880c-5b3a15f35f22"
            match = resolve(f"/api/v1/{address.replace('{id}', an_id)}")
            assert match.namespace == "api", address

    def test_names_every_error_code(self) -> None:
        text = (ROOT / "docs/api.md").read_text()
        folders = (ROOT / "mlcore", ROOT / "recognizer")
        sources = [
            path.read_text()
            for folder in folders
            for path in folder.rglob("*.py")
            if "tests" not in path.parts
        ]
        raised = {
            code
            for source in sources
            for code in re.findall(
                r"(?:(?:PictureError|DrawingError|error_body|error_response)\(\s*"
                r"(?:\d{3},\s*)?|exceptions\.\w+: |\w+Error: )\"([a-z_]+)\"",
                source,
            )
        }

        assert len(raised) >= 20
        assert {code for code in raised if f"`{code}`" not in text} <= {
            "not_encodable"  # a bug of ours, never an answer
        }


class TestLinks:
    @pytest.mark.parametrize("page", PAGES)
    def test_lead_to_files_that_exist(self, page: str) -> None:
        text = (ROOT / page).read_text()

        for target in re.findall(r"\]\(([^)#]+)\)", text):
            if not target.startswith("http"):
                assert ((ROOT / page).parent / target).exists(), target
