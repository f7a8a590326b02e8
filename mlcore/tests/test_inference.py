import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlcore.reading.bundle import KERAS_WEIGHTS, Bundle, open_bundle, unpack_bundle
from mlcore.reading.calibrate import DIGITS, KINDS, ONE_DIGIT, kind_probabilities
from mlcore.reading.inference import BLANK, Reading, Recogniser
from mlcore.reading.preprocess import Bitmap, normalize
from mlcore.reading.rasterise import rasterise
from mlcore.tests.making import KERAS_3_ON_NUMPY_2, ONE_OF_EACH, drawings_of, specimen
from mlcore.training.data import Mnist


def same(one: Reading, other: Reading) -> bool:
    """Compare readings; a dataclass with an array cannot be compared by itself."""
    return (
        one.probabilities == other.probabilities
        and one.digitness == other.digitness
        and (one.digit, one.second, one.refusal)
        == (other.digit, other.second, other.refusal)
    )


class TestRead:
    @pytest.mark.parametrize("name", ONE_OF_EACH)
    def test_gives_a_whole_reading(self, name: str, starter: Recogniser) -> None:
        reading = starter.read(rasterise(specimen(name).strokes))

        assert len(reading.probabilities) == DIGITS
        assert sum(reading.probabilities) == pytest.approx(1, abs=1e-9)
        assert reading.confidence == max(reading.probabilities)
        assert 0 <= reading.digitness <= 1
        assert reading.image is not None
        assert reading.image.shape == (28, 28, 1)

    @given(bitmap=arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))))
    def test_takes_any_bitmap(self, bitmap: Bitmap, starter: Recogniser) -> None:
        reading = starter.read(bitmap)

        assert sum(reading.probabilities) == pytest.approx(1, abs=1e-9)
        assert (reading.digit is None) == (reading.refusal is not None)

    def test_names_the_likeliest_digit_and_the_runner_up(
        self, starter: Recogniser, mnist: Mnist
    ) -> None:
        for image in mnist.test.images[:300]:
            reading = starter.read(image)

            ranked = sorted(range(DIGITS), key=reading.probabilities.__getitem__)
            assert reading.digit in (ranked[-1], None)
            assert reading.second == ranked[-2]

    def test_names_a_digit_exactly_when_it_does_not_refuse(
        self, starter: Recogniser, mnist: Mnist
    ) -> None:
        readings = [starter.read(image) for image in mnist.test.images[:300]]

        assert any(reading.digit is not None for reading in readings)
        for reading in readings:
            assert (reading.digit is None) == (reading.refusal is not None)

    @pytest.mark.parametrize("shape", [(28, 28), (280, 280), (1, 1)])
    def test_refuses_blank_paper(
        self, shape: tuple[int, int], starter: Recogniser
    ) -> None:
        assert starter.read(np.zeros(shape, np.uint8)) is BLANK

    def test_sees_the_digit_image_of_the_drawing(self, starter: Recogniser) -> None:
        bitmap = rasterise(specimen("9 curled tail").strokes)

        reading = starter.read(bitmap)

        assert reading.image is not None
        assert np.array_equal(reading.image, normalize(bitmap))

    def test_takes_digitness_from_the_kind(self, starter: Recogniser) -> None:
        bitmap = rasterise(specimen("4 open").strokes)

        kinds = kind_probabilities(starter.network.logits(normalize(bitmap)))

        assert starter.read(bitmap).digitness == float(kinds[ONE_DIGIT])

    def test_gives_the_same_reading_again(self, starter: Recogniser) -> None:
        bitmap = rasterise(specimen("5 one stroke").strokes)

        first = starter.read(bitmap)
        starter.read(rasterise(specimen("0 plain").strokes))

        assert same(starter.read(bitmap), first)

    def test_gives_the_same_reading_after_a_journey(
        self, starter: Recogniser, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        folder = tmp_path_factory.mktemp("bundles")
        travelled = Recogniser(
            open_bundle(unpack_bundle(starter.bundle.packed(), parent=folder).folder)
        )

        for drawn in drawings_of("specimens"):
            bitmap = rasterise(drawn.strokes)

            assert same(travelled.read(bitmap), starter.read(bitmap))

    def test_leaves_the_bitmap_alone(self, starter: Recogniser) -> None:
        bitmap = rasterise(specimen("3 round").strokes)
        bitmap.flags.writeable = False

        assert starter.read(bitmap).image is not None


class TestBlank:
    def test_says_nothing_about_any_digit(self) -> None:
        assert BLANK.probabilities == (0.1,) * DIGITS
        assert BLANK.confidence == 0.1
        assert (BLANK.digit, BLANK.second, BLANK.image) == (None, None, None)
        assert BLANK.digitness == 0
        assert BLANK.refusal == "blank"


class TestThreads:
    def test_read_as_one_alone_does(self, starter_bundle: Bundle, mnist: Mnist) -> None:
        images = mnist.test.images[:100]
        alone = [Recogniser(starter_bundle).read(image) for image in images]
        shared = Recogniser(starter_bundle)
        together = threading.Barrier(6)
        read: dict[int, list[Reading]] = {}

        def read_all(number: int) -> None:
            together.wait()
            order = np.random.default_rng(number).permutation(len(images))
            mine = {int(i): shared.read(images[i]) for i in order}
            read[number] = [mine[i] for i in range(len(images))]

        threads = [threading.Thread(target=read_all, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(read) == 6
        for readings in read.values():
            for mine, expected in zip(readings, alone, strict=True):
                assert same(mine, expected)


class TestServedWeights:
    @pytest.mark.filterwarnings(KERAS_3_ON_NUMPY_2)
    def test_agree_with_the_keras_weights(
        self, starter: Recogniser, mnist: Mnist
    ) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import keras

        network = keras.models.load_model(
            starter.bundle.folder / KERAS_WEIGHTS, compile=False
        )
        images = mnist.test.images[:200, ..., np.newaxis].astype(np.float32) / 255

        trained = network.predict(images, batch_size=200, verbose=0)
        served = np.stack([starter.network.logits(image) for image in images])

        assert served.shape == trained.shape == (200, DIGITS + KINDS)
        agree = trained[:, :DIGITS].argmax(axis=1) == served[:, :DIGITS].argmax(axis=1)
        assert agree.mean() >= 0.995

    def test_of_another_shape_are_refused(
        self, starter_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("mlcore.reading.inference.KINDS", 4)

        with pytest.raises(ValueError, match=r"\[1, 13\] numbers, this code expects"):
            Recogniser(starter_bundle).network.logits(np.zeros((28, 28, 1), np.float32))


class TestExplain:
    def test_weighs_ink_only_and_is_scaled_to_one(self, starter: Recogniser) -> None:
        image = starter.read(rasterise(specimen("4 open").strokes)).image
        assert image is not None

        weight = starter.explain(image)

        assert weight.shape == (28, 28)
        assert weight.dtype == np.float32
        assert np.abs(weight).max() == pytest.approx(1)
        assert not weight[image[..., 0] == 0].any()
