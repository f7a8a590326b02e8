import io
import json
import os
import shutil
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mlcore import paths
from mlcore.reading import bundle as bundle_module
from mlcore.reading.bundle import (
    KERAS_WEIGHTS,
    MANIFEST,
    SERVED_WEIGHTS,
    Bundle,
    BundleError,
    open_bundle,
    unpack_bundle,
    write_bundle,
)
from mlcore.reading.preprocess import PREPROCESSING_VERSION
from mlcore.tests.making import make_bundle, make_calibration


def remade_manifest(bundle: Bundle, **changes: Any) -> None:
    """Change the manifest and its digest with it, as another release would write it."""
    manifest = {**bundle.manifest, **changes}
    manifest["digest"] = bundle_module._manifest_digest(manifest)
    (bundle.folder / MANIFEST).write_text(json.dumps(manifest))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def zip_of(content: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return packed.getvalue()


class TestWriteBundle:
    def test_names_the_folder_by_the_digest(self, tmp_path: Path) -> None:
        bundle = make_bundle(tmp_path)

        assert bundle.folder == tmp_path / bundle.digest
        assert len(bundle.digest) == 64
        assert bundle.short_digest == bundle.digest[:12]

    def test_holds_the_three_files_and_nothing_else(self, tmp_path: Path) -> None:
        bundle = make_bundle(tmp_path)

        assert set(files_of(bundle.folder)) == {MANIFEST, SERVED_WEIGHTS, KERAS_WEIGHTS}
        assert list(tmp_path.iterdir()) == [bundle.folder]

    def test_says_what_it_is(self, tmp_path: Path) -> None:
        bundle = make_bundle(tmp_path, metrics={"mnist_test": {"accuracy": 0.9}})

        assert bundle.metrics == {"mnist_test": {"accuracy": 0.9}}
        assert bundle.calibration == make_calibration()
        assert bundle.manifest["preprocessing"] == PREPROCESSING_VERSION
        assert bundle.manifest["provenance"] == {"seed": 1}
        assert bundle.served_weights() == b"served weights"

    def test_gives_the_same_digest_in_any_place(self, tmp_path: Path) -> None:
        here = make_bundle(tmp_path / "here")
        there = make_bundle(tmp_path / "far" / "there")

        assert here.digest == there.digest
        assert files_of(here.folder) == files_of(there.folder)

    def test_gives_another_digest_to_any_difference(self, tmp_path: Path) -> None:
        digests = {
            make_bundle(tmp_path).digest,
            make_bundle(tmp_path, served=b"other").digest,
            make_bundle(tmp_path, keras=b"other").digest,
            make_bundle(tmp_path, metrics={"mnist_test": {"accuracy": 0.6}}).digest,
        }

        assert len(digests) == 4

    def test_twice_is_once(self, tmp_path: Path) -> None:
        first = make_bundle(tmp_path)
        made = (first.folder / MANIFEST).stat().st_ino

        second = make_bundle(tmp_path)

        assert second == first
        assert (first.folder / MANIFEST).stat().st_ino == made
        assert list(tmp_path.iterdir()) == [first.folder]

    def test_replaces_a_damaged_one(self, tmp_path: Path) -> None:
        damaged = make_bundle(tmp_path)
        (damaged.folder / SERVED_WEIGHTS).write_bytes(b"damage")

        again = make_bundle(tmp_path)

        assert again.served_weights() == b"served weights"
        assert list(tmp_path.iterdir()) == [again.folder]

    @pytest.mark.parametrize(
        "files",
        [
            {},
            {SERVED_WEIGHTS: b""},
            {SERVED_WEIGHTS: b"", KERAS_WEIGHTS: b"", "notes.txt": b""},
        ],
    )
    def test_refuses_other_files(self, files: dict[str, bytes], tmp_path: Path) -> None:
        with pytest.raises(BundleError, match=r"holds \['model.keras', 'model.tflite'"):
            write_bundle(
                tmp_path,
                files=files,
                calibration=make_calibration(),
                metrics={},
                provenance={},
            )

        assert list(tmp_path.iterdir()) == []

    def test_leaves_nothing_behind_when_the_disk_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(path: Path, content: bytes) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", fail)

        with pytest.raises(OSError, match="No space left"):
            make_bundle(tmp_path)

        assert list(tmp_path.iterdir()) == []

    def test_by_many_threads_at_once_is_one_whole_bundle(self, tmp_path: Path) -> None:
        made: list[Bundle] = []
        together = threading.Barrier(8)

        def write() -> None:
            together.wait()
            made.append(make_bundle(tmp_path, served=b"s" * 100_000))

        threads = [threading.Thread(target=write) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(made) == 8
        assert len({bundle.digest for bundle in made}) == 1
        assert list(tmp_path.iterdir()) == [made[0].folder]
        assert open_bundle(made[0].folder) == made[0]

    def test_repairs_a_damaged_one_beside_another_who_does(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        damaged = make_bundle(tmp_path)
        whole = files_of(damaged.folder)
        (damaged.folder / SERVED_WEIGHTS).write_bytes(b"damage")
        remove = shutil.rmtree

        def remove_and_be_overtaken(path: Path, **options: Any) -> None:
            remove(path, **options)
            if path == damaged.folder:
                path.mkdir()
                for name, content in whole.items():
                    (path / name).write_bytes(content)

        monkeypatch.setattr(shutil, "rmtree", remove_and_be_overtaken)

        again = make_bundle(tmp_path)

        assert again.served_weights() == b"served weights"


class TestOpenBundle:
    def test_opens_what_was_written(self, tmp_path: Path) -> None:
        written = make_bundle(tmp_path)

        assert open_bundle(written.folder) == written

    def test_opens_it_under_any_name(self, tmp_path: Path) -> None:
        written = make_bundle(tmp_path)
        shutil.copytree(written.folder, tmp_path / "starter")

        opened = open_bundle(tmp_path / "starter")

        assert opened.digest == written.digest

    def test_opens_the_starter(self) -> None:
        starter = open_bundle(paths.STARTER_BUNDLE)

        assert starter.manifest["preprocessing"] == PREPROCESSING_VERSION
        assert 0 < starter.metrics["mnist_test"]["accuracy"] <= 1

    @pytest.mark.parametrize("file", [SERVED_WEIGHTS, KERAS_WEIGHTS])
    def test_names_weights_that_were_changed(self, file: str, tmp_path: Path) -> None:
        folder = make_bundle(tmp_path).folder
        (folder / file).write_bytes((folder / file).read_bytes() + b"!")

        with pytest.raises(BundleError, match=rf"{file} is damaged \(sha256"):
            open_bundle(folder)

    @pytest.mark.parametrize("file", [SERVED_WEIGHTS, KERAS_WEIGHTS])
    def test_names_weights_that_are_missing(self, file: str, tmp_path: Path) -> None:
        folder = make_bundle(tmp_path).folder
        (folder / file).unlink()

        with pytest.raises(BundleError, match=f"lacks {file}: copy the bundle again"):
            open_bundle(folder)

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ('"accuracy": 0.5', '"accuracy": 0.9'),
            ('"temperature": 1.3', '"temperature": 1.4'),
            ('"seed": 1', '"seed": 2'),
        ],
    )
    def test_says_that_the_manifest_was_changed(
        self, before: str, after: str, tmp_path: Path
    ) -> None:
        manifest = make_bundle(tmp_path).folder / MANIFEST
        manifest.write_text(manifest.read_text().replace(before, after))

        with pytest.raises(BundleError, match=r"manifest\.json was changed after"):
            open_bundle(manifest.parent)

    def test_does_not_mind_how_the_manifest_is_laid_out(self, tmp_path: Path) -> None:
        written = make_bundle(tmp_path)
        manifest = written.folder / MANIFEST
        reordered = dict(reversed(json.loads(manifest.read_text()).items()))
        manifest.write_text(json.dumps(reordered))

        assert open_bundle(written.folder).digest == written.digest

    @pytest.mark.parametrize("content", ["", "{", "\0", '{"format": 1'])
    def test_says_that_the_manifest_is_damaged(
        self, content: str, tmp_path: Path
    ) -> None:
        folder = make_bundle(tmp_path).folder
        (folder / MANIFEST).write_text(content)

        with pytest.raises(BundleError, match=r"manifest\.json is damaged"):
            open_bundle(folder)

    @pytest.mark.parametrize("folder", ["nowhere", "."])
    def test_says_that_a_folder_is_no_bundle(self, folder: str, tmp_path: Path) -> None:
        with pytest.raises(BundleError, match=r"is not a bundle: it has no manifest"):
            open_bundle(tmp_path / folder)

    def test_names_the_preprocessing_it_was_made_for(self, tmp_path: Path) -> None:
        bundle = make_bundle(tmp_path)
        remade_manifest(bundle, preprocessing=PREPROCESSING_VERSION + 1)

        with pytest.raises(
            BundleError,
            match=f"was made for preprocessing v{PREPROCESSING_VERSION + 1}, this code "
            f"has v{PREPROCESSING_VERSION}: retrain it",
        ):
            open_bundle(bundle.folder)

    @pytest.mark.parametrize("content", ['{"format": 2}', "{}", "[]", "7", "null"])
    def test_names_another_format(self, content: str, tmp_path: Path) -> None:
        folder = make_bundle(tmp_path).folder
        (folder / MANIFEST).write_text(content)

        with pytest.raises(BundleError, match=r"is a bundle of format .* reads 1"):
            open_bundle(folder)

    def test_names_files_that_it_does_not_know(self, tmp_path: Path) -> None:
        bundle = make_bundle(tmp_path)
        remade_manifest(bundle, files={**bundle.manifest["files"], "../x": "0" * 64})

        with pytest.raises(BundleError, match=r"holds \['../x', 'model.keras'"):
            open_bundle(bundle.folder)

    @pytest.mark.parametrize("field", ["preprocessing", "files"])
    def test_names_a_field_that_is_missing(self, field: str, tmp_path: Path) -> None:
        bundle = make_bundle(tmp_path)
        manifest = {k: v for k, v in bundle.manifest.items() if k != field}
        manifest["digest"] = bundle_module._manifest_digest(manifest)
        (bundle.folder / MANIFEST).write_text(json.dumps(manifest))

        with pytest.raises(BundleError, match=field):
            open_bundle(bundle.folder)


class TestPackedBundle:
    def test_comes_back_as_it_was(self, tmp_path: Path) -> None:
        written = make_bundle(tmp_path / "here")

        unpacked = unpack_bundle(written.packed(), parent=tmp_path / "there")

        assert unpacked.digest == written.digest
        assert unpacked.folder == tmp_path / "there" / written.digest
        assert files_of(unpacked.folder) == files_of(written.folder)

    def test_over_one_that_is_there_is_that_one(self, tmp_path: Path) -> None:
        written = make_bundle(tmp_path)

        assert unpack_bundle(written.packed(), parent=tmp_path) == written

    def test_does_not_mind_files_without_a_time(self, tmp_path: Path) -> None:
        written = make_bundle(tmp_path / "here")
        for path in written.folder.iterdir():
            os.utime(path, (0, 0))

        unpacked = unpack_bundle(written.packed(), parent=tmp_path / "there")

        assert unpacked.digest == written.digest

    @pytest.mark.parametrize("missing", [MANIFEST, SERVED_WEIGHTS, KERAS_WEIGHTS])
    def test_names_a_member_that_is_missing(self, missing: str, tmp_path: Path) -> None:
        content = files_of(make_bundle(tmp_path / "here").folder)
        del content[missing]

        with pytest.raises(BundleError, match=f"packed bundle is damaged.*{missing}"):
            unpack_bundle(zip_of(content), parent=tmp_path / "there")

    def test_writes_nowhere_else(self, tmp_path: Path) -> None:
        content = files_of(make_bundle(tmp_path / "here").folder)
        outside = str(tmp_path / "absolute")

        unpacked = unpack_bundle(
            zip_of({**content, "../../beside": b"x", outside: b"x", "extra": b"x"}),
            parent=tmp_path / "there" / "deep",
        )

        assert files_of(unpacked.folder) == content
        everything = {path.name for path in tmp_path.rglob("*")}
        assert not everything & {"beside", "absolute", "extra"}

    @pytest.mark.parametrize(
        "digest", ["../../escaped", "/escaped", "", "A" * 64, "0" * 63, 7, None]
    )
    def test_refuses_a_digest_that_is_no_name(
        self, digest: Any, tmp_path: Path
    ) -> None:
        content = files_of(make_bundle(tmp_path / "here").folder)
        manifest = {**json.loads(content[MANIFEST]), "digest": digest}
        content[MANIFEST] = json.dumps(manifest).encode()

        with pytest.raises(BundleError, match="names the digest"):
            unpack_bundle(zip_of(content), parent=tmp_path / "there")

        assert not (tmp_path / "there").exists()

    @pytest.mark.parametrize("file", [MANIFEST, SERVED_WEIGHTS, KERAS_WEIGHTS])
    def test_refuses_changed_content_and_keeps_nothing(
        self, file: str, tmp_path: Path
    ) -> None:
        content = files_of(make_bundle(tmp_path / "here").folder)
        content[file] = content[file].replace(b"e", b"E", 1)

        with pytest.raises(BundleError, match=file):
            unpack_bundle(zip_of(content), parent=tmp_path / "there")

        left = tmp_path / "there"
        assert not left.exists() or list(left.iterdir()) == []

    @pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.99])
    def test_refuses_an_archive_that_was_cut_off(
        self, share: float, tmp_path: Path
    ) -> None:
        packed = make_bundle(tmp_path / "here").packed()

        with pytest.raises(BundleError, match="packed bundle is damaged"):
            unpack_bundle(packed[: int(share * len(packed))], parent=tmp_path / "there")

    def test_meets_damage_with_its_own_error_only(self, tmp_path: Path) -> None:
        packed = make_bundle(tmp_path / "here", served=bytes(range(256)) * 3).packed()

        for place in range(0, len(packed), 3):
            damaged = bytearray(packed)
            damaged[place] ^= 0x55
            try:
                unpacked = unpack_bundle(bytes(damaged), parent=tmp_path / "there")
            except BundleError:
                continue
            assert unpacked.digest == open_bundle(unpacked.folder).digest
