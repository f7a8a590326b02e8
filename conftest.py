"""What all tests share: how much the long ones do."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take --full."""
    parser.addoption(
        "--full", action="store_true", help="run the long tests at full length (hours)"
    )


@pytest.fixture
def is_full(request: pytest.FixtureRequest) -> bool:
    """Whether the long tests run at full length."""
    return bool(request.config.getoption("--full"))
