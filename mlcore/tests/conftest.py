import pytest
from hypothesis import settings

from mlcore import places
from mlcore.bundle import Bundle, open_bundle
from mlcore.data import Mnist, load_mnist
from mlcore.inference import Recogniser

# The same examples on every run: a red test is a change of the code, never of luck.
# No deadline: the first example pays for imports, and machines differ.
settings.register_profile("mlcore", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("mlcore")


@pytest.fixture(scope="session")
def mnist() -> Mnist:
    return load_mnist()


@pytest.fixture(scope="session")
def starter_bundle() -> Bundle:
    return open_bundle(places.STARTER_BUNDLE)


@pytest.fixture(scope="session")
def starter(starter_bundle: Bundle) -> Recogniser:
    return Recogniser(starter_bundle)
