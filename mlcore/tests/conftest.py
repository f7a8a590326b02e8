from pathlib import Path

import pytest
from hypothesis import settings

from mlcore import paths
from mlcore.reading.bundle import Bundle, open_bundle
from mlcore.reading.inference import Recogniser
from mlcore.tests.making import write_pen_folder
from mlcore.training.data import Mnist, load_mnist

# The same examples on every run: a red test is a change of the code, never of luck.
# No deadline: the first example pays for imports, and machines differ.
settings.register_profile("mlcore", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("mlcore")


@pytest.fixture(scope="session")
def mnist() -> Mnist:
    return load_mnist()


@pytest.fixture(scope="session")
def starter_bundle() -> Bundle:
    return open_bundle(paths.STARTER_BUNDLE)


@pytest.fixture(scope="session")
def starter(starter_bundle: Bundle) -> Recogniser:
    return Recogniser(starter_bundle)


@pytest.fixture(scope="session")
def pen_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as PEN_DIR names one, of our own drawings."""
    return write_pen_folder(tmp_path_factory.mktemp("pen"))
