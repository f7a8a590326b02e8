"""The image, the compose file and deploy/: linted, and run as an image would run."""

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from mlcore import paths
from recognizer.tests.conftest import SEVEN
from recognizer.tests.machines import Machine, free_port, program

DEPLOY = paths.REPOSITORY / "deploy"
DOCKERFILE = paths.REPOSITORY / "Dockerfile"
UNITS = DEPLOY / "systemd"
# Of the database's and Redis's images: not ours to read.
OTHERS = {
    *("POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"),
    *("REDIS_PASSWORD", "REDISCLI_AUTH"),
}


@dataclass(frozen=True)
class Instruction:
    """One line of a Dockerfile, such as RUN with what it runs."""

    name: str
    text: str


def stages() -> dict[str, list[Instruction]]:
    """Return the Dockerfile's stages with their instructions, base stages' first."""
    joined = re.sub(
        r"\\\n", "", re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.M)
    )
    found: dict[str, list[Instruction]] = {}
    here: list[Instruction] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, text = line.split(maxsplit=1)
        if name == "FROM":
            base, _, stage = text.split()
            here = found[stage] = list(found.get(base, []))
        else:
            here.append(Instruction(name, text))
    return found


def of(stage: str, name: str) -> list[str]:
    return [one.text for one in stages()[stage] if one.name == name]


def variables(stage: str) -> dict[str, str]:
    """Return what a stage's ENV lines set."""
    pairs = [pair for text in of(stage, "ENV") for pair in shlex.split(text)]
    return dict(pair.split("=", 1) for pair in pairs)


def copied_into(folder: Path) -> None:
    """Copy what `COPY . .` takes: tracked files that .dockerignore lets through."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=paths.REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    rules = ignore_rules()
    for name in listed.stdout.splitlines():
        if (paths.REPOSITORY / name).is_file() and not is_ignored(name, rules):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(paths.REPOSITORY / name, folder / name)


def ignore_rules() -> list[str]:
    return [
        line
        for line in (paths.REPOSITORY / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]


def is_ignored(name: str, rules: list[str]) -> bool:
    """Say whether the last rule that speaks of a file or its folders drops it."""
    path = Path(name)
    places_above = [str(path), *map(str, path.parents)]
    ignored = False
    for rule in rules:
        pattern = rule.removeprefix("!").replace("**/", "*")
        if any(
            fnmatch.fnmatch(place, pattern) or fnmatch.fnmatch(f"/{place}", pattern)
            for place in places_above
        ):
            ignored = not rule.startswith("!")
    return ignored


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


class TestDockerfile:
    def test_passes_its_linter(self) -> None:
        linter = Path(sys.executable).with_name("hadolint")

        done = subprocess.run(
            [linter, DOCKERFILE], capture_output=True, text=True, check=False
        )

        assert done.returncode == 0, done.stdout

    @pytest.mark.parametrize("stage", ["serve", "train"])
    def test_ends_as_a_user_without_rights(self, stage: str) -> None:
        assert of(stage, "USER")[-1] == "10001"

    def test_serves_without_tensorflow(self) -> None:
        installed = of("serve-environment", "RUN")[-1]
        pinned = (paths.REPOSITORY / "requirements/serve.txt").read_text()

        assert re.findall(r"-r (\S+)", installed) == ["requirements/serve.txt"]
        assert not re.search(r"^(tensorflow|keras)", pinned, re.M)

    def test_copies_neither_data_nor_tests_nor_secrets(self, tmp_path: Path) -> None:
        copied_into(tmp_path)

        names = {str(path.relative_to(tmp_path)) for path in files_below(tmp_path)}
        assert {"manage.py", "mlcore/starter/model.tflite"} <= names
        assert not [name for name in names if "/tests/" in name or "var/" in name]
        assert not [name for name in names if ".env" in name or "deploy" in name]

    def test_copies_the_figures_that_pages_show(self) -> None:
        for path in (
            settings.MODEL_EVALUATION,
            settings.EXPERIMENTS,
            settings.FAST_TRAINING,
        ):
            name = str(path.relative_to(paths.REPOSITORY))

            assert not is_ignored(name, ignore_rules()), name


@dataclass(frozen=True)
class Image:
    """A site that runs from a clean folder as the serving image runs it."""

    root: Path
    machine: Machine
    environment: dict[str, str]


@contextmanager
def running_image(folder: Path, *, python: Path) -> Iterator[Image]:
    """Run the serving image's command with its files alone and its variables."""
    root, port = folder / "root", free_port()
    root.mkdir(exist_ok=True)
    copied_into(root)
    (compiling,) = [text for text in of("site", "RUN") if "compileall" in text]
    subprocess.run(
        [python, *shlex.split(compiling.partition("&&")[0])[1:]], cwd=root, check=True
    )
    told = variables("serve")
    environment = {
        **{"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        **{name: told[name] for name in ("HOST", "PYTHONUNBUFFERED")},
        **{"PORT": str(port), "DIGITSITE_VAR": str(folder / "var")},
        **{"WORKERS": "1", "TMPDIR": str(folder)},
    }
    command = json_list(of("serve", "CMD")[-1])
    process = subprocess.Popen(
        [python, *command[1:]],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        assert any("Digitsite is at" in line for line in process.stdout)
        yield Image(root, Machine(f"http://127.0.0.1:{port}"), environment)
    finally:
        process.terminate()
        process.communicate(timeout=40)
    assert process.returncode == 0


class TestServingImage:
    @pytest.fixture
    def image(self, tmp_path: Path) -> Iterator[Image]:
        """The image, with this environment for its own."""
        with running_image(tmp_path, python=Path(sys.executable)) as image:
            yield image

    def test_stores_a_drawing_and_writes_to_its_data_folder_alone(
        self, image: Image
    ) -> None:
        before = files_below(image.root)

        answer = image.machine.call("POST", "submissions/", SEVEN)

        assert answer.status == 201
        assert files_below(image.root) == before

    def test_is_found_healthy_by_its_own_check(self, image: Image) -> None:
        (check,) = of("serve", "HEALTHCHECK")
        command = json_list(check.partition("CMD ")[2])
        port = image.environment["PORT"]

        done = subprocess.run(
            [sys.executable, *(word.replace("8000", port) for word in command[1:])],
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stderr


@pytest.mark.long
class TestBuiltImage:
    def test_installs_what_it_needs_and_no_more(self, tmp_path: Path) -> None:
        root, venv = tmp_path / "root", tmp_path / "venv"
        root.mkdir()
        copied_into(root)
        (installing,) = [
            text for text in of("serve-environment", "RUN") if "pip" in text
        ]
        ours = Path(sys.executable).parent
        path = f"{venv / 'bin'}:{ours}:{os.environ['PATH']}"

        subprocess.run(
            ["sh", "-ec", installing],
            cwd=root,
            env={"PATH": path, "VIRTUAL_ENV": str(venv), "HOME": str(tmp_path)},
            check=True,
        )

        assert not list(venv.glob("lib/*/site-packages/tensorflow"))
        assert not (venv / "bin" / "pip").exists()
        with running_image(tmp_path, python=venv / "bin" / "python") as image:
            assert image.machine.call("POST", "submissions/", SEVEN).status == 201


def json_list(text: str) -> list[str]:
    loaded = yaml.safe_load(text)
    assert isinstance(loaded, list)
    return loaded


class TestComposeFile:
    composed = yaml.safe_load((paths.REPOSITORY / "compose.yaml").read_text())

    def test_builds_stages_that_exist(self) -> None:
        for name, service in self.composed["services"].items():
            if build := service.get("build"):
                assert build["target"] in stages(), name
                assert build["context"] == "."

    def test_starts_commands_that_exist(self) -> None:
        commands = {
            path.stem
            for path in (paths.REPOSITORY / "recognizer/management/commands").iterdir()
        }

        for service in self.composed["services"].values():
            if service.get("command", [""])[0] == "python":
                how, name = service["command"][1:3]
                assert how in ("manage.py", "-m")
                assert name in commands if how == "manage.py" else find_spec(name)

    def test_lets_nothing_but_the_database_write_to_its_own_files(self) -> None:
        writable = {
            name
            for name, service in self.composed["services"].items()
            if not service.get("read_only")
        }

        assert writable == {"db"}

    def test_shows_nginx_alone_to_the_world(self) -> None:
        shown = [n for n, s in self.composed["services"].items() if s.get("ports")]

        assert shown == ["proxy"]

    def test_keeps_nginx_and_the_services_apart(self) -> None:
        networks = {
            name: set(service["networks"])
            for name, service in self.composed["services"].items()
        }
        inside = {
            name
            for name, network in self.composed["networks"].items()
            if (network or {}).get("internal")
        }

        assert networks["db"] | networks["redis"] == inside
        assert not networks["db"] & networks["redis"]
        assert not networks["proxy"] & inside

    def test_gives_redis_a_password(self) -> None:
        redis, web = (self.composed["services"][name] for name in ("redis", "web"))

        assert "${REDIS_PASSWORD:?" in redis["command"][2]
        assert redis["command"][1] == "--requirepass"
        assert web["environment"]["REDIS_URL"].startswith("redis://:${REDIS_PASSWORD:?")

    def test_speaks_of_variables_that_are_read(self) -> None:
        listed = names_in(paths.REPOSITORY / ".env.example")
        told = names_in(DEPLOY / "compose.env.example")
        for service in self.composed["services"].values():
            told |= set(service.get("environment", {}))

        assert told <= listed | OTHERS

    def test_mounts_files_that_are_there(self) -> None:
        (configuration, _) = self.composed["services"]["proxy"]["volumes"]

        assert (paths.REPOSITORY / configuration.split(":")[0]).is_file()


def names_in(path: Path) -> set[str]:
    return set(re.findall(r"^#?([A-Z_]+)=", path.read_text(), re.M))


def merged_by_systemd(unit: Path, environment_file: str) -> dict[str, str]:
    """Return a unit's environment: the file wins, even with an empty assignment."""
    settings = re.findall(r"^Environment=(.*)$", unit.read_text(), re.M)
    own = [pair for line in settings for pair in shlex.split(line)]
    of_file = [
        line
        for line in environment_file.splitlines()
        if line.strip() and not line.startswith(("#", ";"))
    ]
    return dict(pair.split("=", 1) for pair in [*own, *of_file])


class TestProductionExample:
    text = (DEPLOY / "production.env.example").read_text()
    told = (
        "import django; from django.conf import settings as s; django.setup(); "
        "print(s.PRODUCTION, s.SESSION_COOKIE_SECURE, s.SECURE_SSL_REDIRECT, "
        "s.ALLOWED_HOSTS, s.TRUSTED_PROXIES, s.EMAIL_BACKEND)"
    )

    def filled_in(self) -> str:
        text = self.text.replace("SECRET_KEY=", f"SECRET_KEY={'k7-' * 20}")
        text = text.replace("ALLOWED_HOSTS=", "ALLOWED_HOSTS=digits.example.org")
        origin = "CSRF_TRUSTED_ORIGINS=https://digits.example.org"
        return text.replace("CSRF_TRUSTED_ORIGINS=", origin)

    def started(
        self, unit: Path, environment_file: str, var: Path
    ) -> "subprocess.CompletedProcess[str]":
        environment = merged_by_systemd(unit, environment_file)
        assert environment["DIGITSITE_VAR"] == "/var/lib/digitsite"
        return subprocess.run(
            [sys.executable, "-c", self.told],
            cwd=paths.REPOSITORY,
            env={
                **environment,
                "PATH": os.environ["PATH"],
                "DIGITSITE_VAR": str(var),
                "DJANGO_SETTINGS_MODULE": "digitsite.settings",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def test_lists_variables_that_are_read(self) -> None:
        assert names_in(DEPLOY / "production.env.example") <= names_in(
            paths.REPOSITORY / ".env.example"
        )

    def test_is_what_the_page_tells_to_install(self) -> None:
        page = (paths.REPOSITORY / "docs" / "operations.md").read_text()

        assert "deploy/production.env.example /etc/digitsite.env" in page

    @pytest.mark.parametrize(
        "unit", sorted(UNITS.glob("*.service")), ids=lambda unit: unit.name
    )
    def test_leaves_a_unit_in_production(self, unit: Path, tmp_path: Path) -> None:
        started = self.started(unit, self.filled_in(), tmp_path)

        assert started.returncode == 0, started.stderr
        assert started.stdout.strip() == (
            "True True True ['digits.example.org'] 1 "
            "django.core.mail.backends.dummy.EmailBackend"
        )

    @pytest.mark.parametrize(
        ("line", "refusal"),
        [("", "SECRET_KEY"), ("PRODUCTION=", "PRODUCTION is set but empty")],
    )
    def test_is_refused_until_it_is_filled_in(
        self, line: str, refusal: str, tmp_path: Path
    ) -> None:
        text = self.text if not line else f"{self.filled_in()}{line}\n"

        started = self.started(UNITS / "digitsite-web.service", text, tmp_path)

        assert started.returncode != 0
        assert refusal in started.stderr.splitlines()[-1]


class TestByteCode:
    """Units write none, so the page has it made at an install and at an upgrade."""

    def test_is_made_by_the_steps_wherever_units_write_none(self) -> None:
        page = (paths.REPOSITORY / "docs" / "operations.md").read_text()
        sections = dict(
            section.split("\n", 1) for section in page.split("\n## ") if "\n" in section
        )
        made = re.search(
            r"-m (compileall .*)", (paths.REPOSITORY / "Makefile").read_text()
        )

        units = [unit.read_text() for unit in UNITS.glob("*.service")]

        assert units
        assert all("PYTHONDONTWRITEBYTECODE=1" in unit for unit in units)
        assert made
        for name in ("One machine", "Upgrading while people draw"):
            assert f".venv/bin/python -m {made[1]}" in sections[name], name


@pytest.mark.services
class TestUnits:
    def test_pass_systemd_s_own_check(self, tmp_path: Path) -> None:
        (tmp_path / ".venv" / "bin").mkdir(parents=True)
        (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
        units = []
        for unit in sorted(UNITS.iterdir()):
            text = unit.read_text().replace("/opt/digitsite", str(tmp_path))
            (tmp_path / unit.name).write_text(text)
            units.append(str(tmp_path / unit.name))

        done = subprocess.run(
            [program("systemd-analyze", package="systemd"), "verify", *units],
            capture_output=True,
            text=True,
            check=False,
        )

        assert len(units) >= 4
        assert not [line for line in done.stderr.splitlines() if "digitsite" in line]
        assert done.returncode == 0, done.stderr
