"""Importing labelled pictures: from files, in the admin and by the command."""

import gzip
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from mlcore.reading.pictures import decode_data_url, decode_picture, encode_png
from mlcore.reading.specimens import specimens
from mlcore.training.data import idx_header
from recognizer.drawings import tallies
from recognizer.importing import importing, sources
from recognizer.importing.files import (
    PAGE,
    Bounds,
    ImportRefusedError,
    open_packed,
    pack,
)
from recognizer.learning import snapshots
from recognizer.learning.labels import label_submission
from recognizer.models import (
    AuditEntry,
    Erasure,
    Import,
    ImportedFile,
    ImportedPerson,
    Label,
    Picture,
    Prediction,
    Submission,
    Tally,
    User,
    Visitor,
)
from recognizer.people.roles import prepare_roles
from recognizer.reader import engine
from recognizer.reader.pictures import drawing_png, idx_image
from recognizer.tests.conftest import SEVEN, enter_desk, post_json
from recognizer.tests.learning import as_drawing

PAGES = "/admin/recognizer/submission/import/"
URL = "/api/v1/submissions/"
PNGS = {
    digit: drawing_png(
        as_drawing(next(o for o in specimens() if o.digit == digit).strokes)
    )
    for digit in range(10)
}


def zipped(entries: Mapping[str, bytes | str]) -> bytes:
    return pack(
        [
            (name, content if isinstance(content, bytes) else content.encode())
            for name, content in entries.items()
        ]
    )


FOLDERS = {f"digits/{digit}/a.png": png for digit, png in PNGS.items()}


def preview(content: bytes, reviewer: User) -> Import:
    return importing.preview(
        files=open_packed(content), name="test.zip", reviewer=reviewer
    )


def imported(content: bytes, reviewer: User) -> Import:
    found = preview(content, reviewer)
    found.save()
    return importing.store(imported=found, files=open_packed(content))


def labels() -> list[str]:
    return [
        one.labelled_as or one.rejection for one in Submission.objects.order_by("pk")
    ]


def idx(images: np.ndarray, digits: list[int]) -> dict[str, bytes]:
    return {
        "x-images-idx3-ubyte": idx_header(*images.shape) + images.tobytes(),
        "x-labels-idx1-ubyte": idx_header(len(digits)) + bytes(digits),
    }


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, 28, 28), np.uint8)


@pytest.mark.usefixtures("active_model")
class TestStoring:
    def test_leaves_the_rows_of_a_drawing_that_was_sent_and_labelled(
        self, reviewer: User
    ) -> None:
        done = imported(zipped(FOLDERS), reviewer)

        assert (done.state, done.stored, done.total) == ("done", 10, 10)
        assert labels() == list("0123456789")
        for one in Submission.objects.with_shown_prediction():
            assert one.source == "import"
            assert one.review_priority is None
            assert one.shown_prediction.digit == one.shown_digit
            picture = decode_picture(bytes(one.picture.png))
            assert (picture == decode_picture(PNGS[one.label_digit or 0])).all()
        by = Label.objects.values_list("reviewer", flat=True)
        assert list(by) == [reviewer.pk] * 10
        assert tallies.named(["labelled"]) == {"labelled": 10}
        assert AuditEntry.objects.filter(action="label", actor=reviewer).count() == 10

    def test_belongs_to_a_person_of_its_own_who_may_train(self, reviewer: User) -> None:
        imported(zipped(FOLDERS), reviewer)

        person = Visitor.objects.get()
        assert person.may_train
        assert person.user is None
        assert snapshots.make_snapshot(actor=None).items.count() == 10

    def test_tells_writers_apart(self, reviewer: User) -> None:
        table = "file,label,writer\n0.png,0,anna\n1.png,1,ben\n2.png,2,anna\n"
        pictures = {f"{digit}.png": PNGS[digit] for digit in range(3)}

        imported(zipped({"labels.csv": table, **pictures}), reviewer)

        people = ImportedPerson.objects.order_by("writer").select_related("visitor")
        assert [one.writer for one in people] == ["anna", "ben"]
        owned = [Submission.objects.owned_by(one.visitor) for one in people]
        assert [
            [one.label_digit for one in theirs.order_by("pk")] for theirs in owned
        ] == [[0, 2], [1]]

    def test_goes_on_where_it_was_killed(
        self, reviewer: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(importing, "_AT_ONCE", 4)
        found = preview(zipped(FOLDERS), reviewer)
        found.save()

        def killed(number: int) -> None:
            if number:
                raise KeyboardInterrupt

        files = open_packed(zipped(FOLDERS))
        with pytest.raises(KeyboardInterrupt):
            importing.store(imported=found, files=files, tell=killed)
        between = Submission.objects.count()
        again = preview(zipped(FOLDERS), reviewer)
        importing.store(imported=again, files=files)

        assert between == 4
        assert Import.objects.get() == again
        assert labels() == list("0123456789")

    def test_happens_once_if_two_confirm_at_once(
        self, reviewer: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(importing, "_AT_ONCE", 4)
        mine = preview(zipped(FOLDERS), reviewer)
        mine.save()
        files = open_packed(zipped(FOLDERS))

        def other(number: int) -> None:
            if number == 4 and Submission.objects.count() == 4:
                importing.store(imported=Import.objects.get(), files=files)

        with pytest.raises(ImportRefusedError, match="meanwhile"):
            importing.store(imported=mine, files=files, tell=other)

        assert labels() == list("0123456789")
        assert Import.objects.get().state == "done"

    def test_stops_when_it_is_undone_meanwhile(
        self, reviewer: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(importing, "_AT_ONCE", 4)
        mine = preview(zipped(FOLDERS), reviewer)
        mine.save()

        def undone(number: int) -> None:
            if number:
                importing.undo(imported=Import.objects.get(), by=reviewer)

        with pytest.raises(ImportRefusedError, match="meanwhile"):
            importing.store(
                imported=mine, files=open_packed(zipped(FOLDERS)), tell=undone
            )

        assert not Submission.objects.exists()

    def test_is_noticed_the_second_time_however_it_is_packed(
        self, reviewer: User
    ) -> None:
        late = preview(zipped(FOLDERS), reviewer)
        late.save()
        done = imported(zipped(FOLDERS), reviewer)

        with pytest.raises(ImportRefusedError, match=str(done.pk)):
            preview(zipped(dict(reversed(FOLDERS.items()))), reviewer)
        with pytest.raises(ImportRefusedError, match=str(done.pk)):
            importing.store(imported=late, files=open_packed(zipped(FOLDERS)))

        assert Submission.objects.count() == 10

    def test_is_undone_exactly(self, reviewer: User, program: Client) -> None:
        post_json(program, URL, SEVEN)
        before = Submission.objects.get(), tallies.total(Tally.objects.all())
        done = imported(zipped(FOLDERS), reviewer)
        ids = set(
            Submission.objects.filter(source="import").values_list("pk", flat=True)
        )

        number = importing.undo(imported=done, by=reviewer)

        assert number == 10
        assert Submission.objects.get() == before[0]
        assert Prediction.objects.count() == Visitor.objects.count() == 1
        assert not Picture.objects.exists()
        assert not Label.objects.exists()
        assert tallies.total(Tally.objects.all()) == before[1]
        assert ids <= set(Erasure.objects.values_list("subject_id", flat=True))
        assert Import.objects.get().state == "undone"
        assert imported(zipped(FOLDERS), reviewer).stored == 10

    def test_of_an_undone_import_is_refused(self, reviewer: User) -> None:
        done = imported(zipped(FOLDERS), reviewer)
        importing.undo(imported=done, by=None)

        with pytest.raises(ImportRefusedError):
            importing.store(imported=done, files=open_packed(zipped(FOLDERS)))

    def test_previews_are_not_kept_for_long(
        self, reviewer: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = preview(zipped(FOLDERS), reviewer)
        found.save()
        importing.discard_previews()
        kept = Import.objects.count()
        monkeypatch.setattr(importing, "PREVIEW_KEPT", importing.PREVIEW_KEPT * 0)

        importing.discard_previews()

        assert (kept, Import.objects.count()) == (1, 0)


@pytest.mark.usefixtures("active_model")
class TestForms:
    def test_our_label_studio_export_comes_back_as_it_was(
        self, program: Client, reviewer: User
    ) -> None:
        for _ in range(4):
            post_json(program, URL, SEVEN)
        drawn = list(Submission.objects.order_by("pk"))
        decisions: list[dict[str, Any]] = [
            {"digit": 7},
            {"number": "71"},
            {"rejected": "ambiguous"},
        ]
        for one, decision in zip(drawn, decisions, strict=False):
            label_submission(submission=one, reviewer=reviewer, **decision)
        export = b"".join(program.get(f"{URL}export/?as=labelstudio"))

        done = imported(pack([("tasks.json", export)]), reviewer)

        assert done.counts == {"7": 1, "ambiguous": 1, "number": 1}
        assert done.refused == {"no_label": 1}
        back = Submission.objects.filter(source="import").order_by("pk")
        assert [(one.label_digit, one.label_number, one.rejection) for one in back] == [
            (7, "", ""),
            (None, "71", ""),
            (None, "", "ambiguous"),
        ]
        for one, task in zip(back, json.loads(export), strict=False):
            png = drawing_png(engine.drawing_of(one))
            assert (decode_picture(png) == decode_data_url(task["data"]["image"])).all()

    def test_our_idx_export_comes_back_as_it_was(
        self, program: Client, reviewer: User, images: np.ndarray
    ) -> None:
        made = post_json(program, URL, {"pixels": images[0].tolist()})
        post_json(
            program, f"{made['Location']}feedback/", {"verdict": "wrong", "digit": 4}
        )
        export = b"".join(program.get(f"{URL}export/?as=idx"))

        imported(export, reviewer)

        back = Submission.objects.get(source="import")
        assert back.label_digit == 4
        assert (idx_image(back) == images[0]).all()

    def test_idx_may_be_gzipped(self, reviewer: User, images: np.ndarray) -> None:
        plain = idx(images, [3, 1, 4])
        entries = {f"{name}.gz": gzip.compress(part) for name, part in plain.items()}

        imported(zipped(entries), reviewer)

        assert labels() == ["3", "1", "4"]

    def test_pictures_of_label_studio_may_lie_beside_the_json(
        self, reviewer: User
    ) -> None:
        tasks = [task(f"/data/upload/1/{digit}.png", str(digit)) for digit in (8, 9)]
        tasks.append(task("/data/upload/1/gone.png", "1"))
        pictures = {f"images/{digit}.png": PNGS[digit] for digit in (8, 9)}

        done = imported(zipped({"all.json": json.dumps(tasks), **pictures}), reviewer)

        assert labels() == ["8", "9"]
        assert done.refused == {"missing": 1}

    def test_the_newest_annotation_counts(self, reviewer: User) -> None:
        one = task("0.png", "1")
        cancelled = {**task("", "5")["annotations"][0], "was_cancelled": True}
        one["annotations"] += [*task("", "0")["annotations"], cancelled]

        imported(zipped({"all.json": json.dumps([one]), "0.png": PNGS[0]}), reviewer)

        assert labels() == ["0"]

    def test_long_json_is_read_in_pieces(
        self, reviewer: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tasks = [task(f"{digit}.png", str(digit)) for digit in range(10)]
        pictures = {f"{digit}.png": PNGS[digit] for digit in range(10)}
        for piece in (1, 7, 64):
            monkeypatch.setattr(sources, "_PIECE", piece)
            found = preview(
                zipped({"all.json": json.dumps(tasks, indent=1), **pictures}), reviewer
            )
            assert found.total == 10

    def test_pictures_that_cannot_be_read_are_counted_and_listed(
        self, reviewer: User
    ) -> None:
        entries = {
            **FOLDERS,
            "digits/7/b.png": PNGS[7][:80],
            "digits/7/c.jpg": b"no",
            "__MACOSX/7/._a.png": b"",
            "README.txt": b"",
        }

        done = imported(zipped(entries), reviewer)

        assert done.total == 10
        assert done.refused == {"unreadable": 2}
        assert [name for name, _ in done.listed] == ["digits/7/b.png", "digits/7/c.jpg"]

    def test_what_labels_csv_leaves_out_is_listed(self, reviewer: User) -> None:
        table = "file,label\r\n0.png,0\r\n1.png,1\r\n"

        found = preview(
            zipped({"labels.csv": table, "0.png": PNGS[0], "2.png": PNGS[2]}), reviewer
        )

        assert found.counts == {"0": 1}
        assert found.listed == [("1.png", "missing"), ("2.png", "no_label")]


def task(image: str, choice: str) -> dict[str, Any]:
    result = {"type": "choices", "value": {"choices": [choice]}}
    return {"data": {"image": image}, "annotations": [{"result": [result]}]}


def bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("7/a.bmp", bytes(20_000_000))
    return stream.getvalue()


def locked() -> bytes:
    content = bytearray(zipped({"7/a.png": PNGS[7]}))
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + flags] |= 1
    return bytes(content)


def damaged() -> bytes:
    content = bytearray(zipped({"7/a.png": PNGS[7]}))
    content[100] ^= 255
    return bytes(content)


ONE = np.zeros((1, 28, 28), np.uint8)
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "no labelled pictures"),
    "nothing in it": (zipped({}), "no labelled pictures"),
    "no picture": (zipped({"a.txt": b"7"}), "no labelled pictures"),
    "nothing readable": (zipped({"7/a.png": b"7"}), "no labelled pictures"),
    "cut off": (zipped(FOLDERS)[:-30], "damaged or cut off"),
    "damaged inside": (damaged(), "7/a.png is damaged"),
    "a bomb": (bomb(), "200 times its size"),
    "too many entries": (
        zipped({f"7/{n}.png": b"" for n in range(PAGE.entries + 1)}),
        "too large",
    ),
    "too many pictures": (
        zipped({f"7/{n}.png": b"" for n in range(PAGE.drawings + 1)}),
        "too large",
    ),
    "out of its folder": (zipped({"../7/a.png": PNGS[7]}), "outside of its folder"),
    "out of its folder, on Windows": (
        zipped({"..\\7\\a.png": PNGS[7]}),
        "outside of its folder",
    ),
    "with a password": (locked(), "password"),
    "a folder that is no digit": (
        zipped({"seven/a.png": PNGS[7]}),
        "'seven' is no digit",
    ),
    "a folder of two digits": (zipped({"10/a.png": PNGS[7]}), "'10' is no digit"),
    "a label that is no digit": (
        zipped({"labels.csv": "file,label\na.png,x\n", "a.png": PNGS[7]}),
        "labels.csv, 2: the label 'x'",
    ),
    "no columns": (zipped({"labels.csv": "a.png,7\n"}), "file,label"),
    "not UTF-8": (zipped({"labels.csv": b"file,label\n\xff,7\n"}), "UTF-8"),
    "two lists": (zipped({"a.json": "[]", "b.json": "[]"}), "several lists"),
    "json cut off": (zipped({"a.json": json.dumps([task("a", "7")])[:-9]}), "cut off"),
    "json of something else": (zipped({"a.json": "{}"}), "no JSON of Label Studio"),
    "json of numbers": (zipped({"a.json": "[1, 2]"}), "no JSON of Label Studio"),
    "deep json": (zipped({"a.json": "[" * 100_000}), "no JSON of Label Studio"),
    "no image": (zipped({"a.json": "[{}]"}), "with data.image"),
    "a choice that is no label": (
        zipped({"a.json": json.dumps([task("a", "cat")])}),
        "'cat' is no digit",
    ),
    "idx without labels": (zipped({"images-idx3-ubyte": b""}), "two files"),
    "idx without images": (zipped({"labels-idx1-ubyte": b""}), "two files"),
    "idx of other counts": (zipped(idx(ONE, [1, 2])), "has 2 labels, but"),
    "idx of other sizes": (zipped(idx(ONE[:, :20], [1])), "as many pictures of 28x28"),
    "idx with letters": (zipped(idx(ONE, [12])), "'12' is no digit"),
    "idx cut off": (
        zipped(
            {
                name: part[:-1] if "3" in name else part
                for name, part in idx(ONE, [1]).items()
            }
        ),
        "cut off",
    ),
    "idx labels cut off": (
        zipped(
            {
                name: part[:-1] if "1" in name else part
                for name, part in idx(ONE, [1]).items()
            }
        ),
        "cut off",
    ),
    "idx with something after": (
        zipped(
            {name: part + b"0" for name, part in idx(ONE, [1]).items() if "3" in name}
            | {k: v for k, v in idx(ONE, [1]).items() if "1-" in k}
        ),
        "x-images-idx3-ubyte is damaged",
    ),
    "no idx": (
        zipped({"images-idx3-ubyte": b"7" * 99, "labels-idx1-ubyte": b"7" * 99}),
        "labels-idx1-ubyte is damaged",
    ),
    "gzip cut off": (
        zipped(
            {
                f"{name}.gz": gzip.compress(part)[:-9]
                for name, part in idx(ONE, [1]).items()
            }
        ),
        "damaged or cut off",
    ),
}


@pytest.mark.usefixtures("active_model")
class TestBadInput:
    @pytest.mark.parametrize("name", BAD)
    def test_gets_one_clear_sentence(self, name: str, reviewer: User) -> None:
        content, message = BAD[name]

        with pytest.raises(ImportRefusedError, match=message) as caught:
            preview(
                pack([("bad.bin", content)]) if name == "empty" else content, reviewer
            )

        assert str(caught.value).endswith(".")
        assert not Import.objects.exists()
        assert not Submission.objects.exists()

    def test_small_files_may_not_hold_huge_pictures(
        self, reviewer: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        blank = encode_png(np.full((1000, 1000), 255, np.uint8))
        content = zipped({f"7/{number}.png": blank for number in range(3)})
        monkeypatch.setattr(
            "recognizer.importing.files.PAGE", Bounds(10, 10**8, 2_500_000)
        )

        with pytest.raises(ImportRefusedError, match="too many pixels"):
            preview(content, reviewer)

    def test_names_must_not_hide_a_cut_off_zip(self, reviewer: User) -> None:
        cut = zipped(FOLDERS)[:-30]

        with pytest.raises(ImportRefusedError, match="The ZIP is damaged"):
            preview(pack([("digits.zip", cut)]), reviewer)


@pytest.fixture
def desk(active_model: object) -> Client:
    """A reviewer's browser in the admin."""
    return desk_of("rev")


def desk_of(name: str) -> Client:
    prepare_roles()
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name="Reviewers"))
    client = Client()
    enter_desk(client, user)
    return client


def upload(client: Client, *files: tuple[str, bytes]) -> Any:
    sent = [SimpleUploadedFile(name, content) for name, content in files]
    return client.post(PAGES, {"files": sent})


class TestPage:
    def test_previews_then_stores_then_undoes(self, desk: Client) -> None:
        page = upload(desk, ("digits.zip", zipped(FOLDERS)))["Location"]
        shown = desk.get(page).content.decode()
        before = Submission.objects.count()
        desk.post(f"{page}store/")
        stored = labels()
        done = desk.get(page).content.decode()
        desk.post(f"{page}undo/")

        assert shown.count("data:image/png;base64") == 10
        assert "Import these drawings" in shown
        assert before == 0
        assert stored == list("0123456789")
        assert Import.objects.get().reviewer.username == "rev"  # type: ignore[union-attr]
        assert "Undo this import" in done
        assert "Import these" not in done
        assert not ImportedFile.objects.exists()
        assert not Submission.objects.exists()
        assert "digits.zip" in desk.get(PAGES).content.decode()

    def test_takes_the_two_files_of_idx(self, desk: Client, images: np.ndarray) -> None:
        files = idx(images, [3, 1, 4]).items()

        page = upload(desk, *files)["Location"]
        desk.post(f"{page}store/")

        assert labels() == ["3", "1", "4"]

    def test_says_what_is_wrong_in_the_reader_s_language(self, desk: Client) -> None:
        answer = desk.post(
            PAGES,
            {"files": SimpleUploadedFile("a.zip", zipped({"x/a.png": PNGS[7]}))},
            headers={"Accept-Language": "de"},
        )

        assert answer.status_code == 400
        assert "ist keine Ziffer von 0 bis 9" in answer.content.decode()
        assert not Import.objects.exists()

    def test_says_that_a_file_was_imported_before(self, desk: Client) -> None:
        first = upload(desk, ("a.zip", zipped(FOLDERS)))["Location"]
        desk.post(f"{first}store/")

        answer = upload(desk, ("b.zip", zipped(FOLDERS)))

        assert answer.status_code == 400
        assert "were imported on" in answer.content.decode()
        assert Import.objects.count() == 1

    def test_keeps_one_preview_of_each_reviewer(self, desk: Client) -> None:
        upload(desk, ("a.zip", zipped(FOLDERS)))
        page = upload(desk, ("b.zip", zipped(FOLDERS)))["Location"]
        kept = Import.objects.count(), ImportedFile.objects.count()

        desk.post(f"{page}undo/")

        assert kept == (1, 1)
        assert not Import.objects.exists()

    def test_lets_no_other_reviewer_store_or_undo(
        self, desk: Client, admin_client: Client
    ) -> None:
        page = upload(desk, ("a.zip", zipped(FOLDERS)))["Location"]
        other = desk_of("other")
        stored = other.post(f"{page}store/").status_code
        desk.post(f"{page}store/")
        undone = other.post(f"{page}undo/").status_code
        by_admin = admin_client.post(f"{page}undo/").status_code

        assert (stored, undone, by_admin) == (404, 403, 302)
        assert not Submission.objects.exists()

    def test_needs_a_file(self, desk: Client) -> None:
        assert desk.post(PAGES).status_code == 400


@pytest.mark.usefixtures("active_model")
class TestCommand:
    def run(self, *arguments: str) -> str:
        said = io.StringIO()
        call_command("import_labelled", *arguments, stdout=said, stderr=io.StringIO())
        return said.getvalue()

    def test_imports_a_folder_and_undoes_it(
        self, reviewer: User, tmp_path: Path
    ) -> None:
        for name, png in FOLDERS.items():
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).write_bytes(png)
        by = "--reviewer", reviewer.username
        previewed = self.run(str(tmp_path), *by, "--preview")
        before = Submission.objects.count(), Import.objects.count()
        said = self.run(str(tmp_path), *by)
        stored = labels()
        with pytest.raises(CommandError, match="were imported on"):
            self.run(str(tmp_path), *by)
        undone = self.run("--undo", said.split()[-1])

        assert "Drawings: 10" in previewed
        assert before == (0, 0)
        assert stored == list("0123456789")
        assert "Deleted 10 drawings" in undone
        assert not Submission.objects.exists()

    def test_imports_a_zip_and_a_pair_of_idx(
        self, reviewer: User, tmp_path: Path, images: np.ndarray
    ) -> None:
        (tmp_path / "a.zip").write_bytes(zipped(FOLDERS))
        pair = idx(images, [3, 1, 4])
        for name, part in pair.items():
            (tmp_path / name).write_bytes(part)

        self.run(str(tmp_path / "a.zip"), "--reviewer", "reviewer")
        self.run(*(str(tmp_path / name) for name in pair), "--reviewer", "reviewer")

        assert labels() == [*"0123456789", "3", "1", "4"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "either"),
            (["nowhere", "--reviewer", "reviewer"], "no file or folder nowhere"),
            (["nowhere"], "--reviewer"),
            (["nowhere", "--reviewer", "nobody"], "Reviewers"),
            (["--undo", "7"], "no import '7'"),
        ],
    )
    def test_says_what_is_missing(
        self, arguments: list[str], message: str, reviewer: User
    ) -> None:
        with pytest.raises(CommandError, match=message):
            self.run(*arguments)

    def test_refuses_a_cut_off_zip(self, reviewer: User, tmp_path: Path) -> None:
        (tmp_path / "a.zip").write_bytes(zipped(FOLDERS)[:-30])

        with pytest.raises(CommandError, match="The ZIP is damaged"):
            self.run(str(tmp_path / "a.zip"), "--reviewer", "reviewer")
