"""The hand-made networks as fixtures."""

import pytest

from tests.criteria.cases import NETS, make


@pytest.fixture
def plain():
    return make("plain")


@pytest.fixture
def residual():
    return make("residual")


@pytest.fixture
def heads():
    return make("heads")


@pytest.fixture(params=sorted(NETS))
def case(request):
    return make(request.param)
