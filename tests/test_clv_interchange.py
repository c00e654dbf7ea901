"""Models to lifetimes and back, with the same answers and without a trace."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from places import ROOT
from retention_metrics.clv import BGBB, BGNBD, MBGNBD, GammaGamma, ParetoNBD, from_lifetimes, to_lifetimes
from retention_metrics.clv.limits import NBD
from retention_metrics.errors import InputError, MissingDependencyError

CDNOW = BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
SPEND = GammaGamma(p=6.25, q=3.74, v=15.44)

positive = st.floats(1e-6, 1e6)
models = st.one_of(
    st.builds(BGNBD, r=positive, alpha=positive, a=positive, b=positive),
    st.builds(MBGNBD, r=positive, alpha=positive, a=positive, b=positive),
    st.builds(BGBB, alpha=positive, beta=positive, gamma=positive, delta=positive),
    st.builds(ParetoNBD, r=positive, alpha=positive, s=positive, beta=positive),
    st.builds(GammaGamma, p=positive, q=positive, v=positive),
)


@given(model=models)
def test_a_model_comes_back_with_every_bit(model):
    assert from_lifetimes(to_lifetimes(model)) == model


def test_the_unit_that_lifetimes_forgets_is_given_again():
    assert from_lifetimes(to_lifetimes(CDNOW)).unit is None
    assert from_lifetimes(to_lifetimes(CDNOW), unit="week") == CDNOW


def test_a_fitter_that_lifetimes_fitted_is_our_fit(customers):
    fitter = to_lifetimes(CDNOW)
    with warnings.catch_warnings(action="ignore"):
        fitter.fit(*(customers[name] for name in ("frequency", "recency", "T")))
    assert from_lifetimes(fitter).theta == pytest.approx(BGNBD.fit(customers).model.theta, rel=1e-3)


@pytest.mark.parametrize(
    "model",
    [
        CDNOW,
        MBGNBD(r=0.525, alpha=6.183, a=0.891, b=1.614, unit="week"),
        ParetoNBD(r=0.553, alpha=10.578, s=0.606, beta=11.669, unit="week"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_lifetimes_says_what_we_say_of_purchases(customers, model):
    history = tuple(customers[name] for name in ("frequency", "recency", "T"))
    fitter = to_lifetimes(model)
    assert model.expected_purchases(*history, horizon=39) == pytest.approx(fitter.predict(39, *history), rel=1e-9)
    assert model.probability_alive(*history) == pytest.approx(fitter.conditional_probability_alive(*history), rel=1e-9)


def test_lifetimes_says_what_we_say_of_spend(customers):
    repeat = customers[customers["frequency"] > 0]
    history = repeat["frequency"], repeat["monetary_value"]
    theirs = to_lifetimes(SPEND).conditional_expected_average_profit(*history)
    assert SPEND.expected_value(*history) == pytest.approx(theirs.to_numpy(), rel=1e-12)


LEAVES_NO_TRACE = """
import warnings
warnings.simplefilter("error", RuntimeWarning)
import numpy as np
import pandas as pd
import retention_metrics as rm

def options():
    names = [line.split()[0] for line in pd.describe_option(_print_desc=False).splitlines() if line[:1].strip()]
    with warnings.catch_warnings(action="ignore"):
        return {name: pd.get_option(name) for name in names}

rm.clv.BGNBD  # SciPy, which the models need, has filters of its own
before = list(warnings.filters), options(), np.geterr()
rm.clv.to_lifetimes(rm.clv.BGNBD(r=1, alpha=1, a=1, b=1))
rm.clv.to_lifetimes(rm.clv.GammaGamma(p=1, q=1, v=1))
assert "mode.chained_assignment" in before[1]
assert (list(warnings.filters), options(), np.geterr()) == before
print("no trace")
"""


def test_importing_lifetimes_leaves_no_trace():
    """In a fresh process: filters of warnings, options of pandas and NumPy's error state are as they were."""
    done = subprocess.run([sys.executable, "-c", LEAVES_NO_TRACE], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout.strip(), done.returncode) == ("no trace", 0), done.stderr


def test_importing_lifetimes_by_itself_does_leave_traces():
    """What the test above would see, were the side effects not undone."""
    code = LEAVES_NO_TRACE.replace("rm.clv.to_lifetimes(rm.clv.BGNBD(r=1, alpha=1, a=1, b=1))", "import lifetimes")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert "AssertionError" in done.stderr


def test_without_lifetimes_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lifetimes", None)
    with pytest.raises(MissingDependencyError, match=r"to_lifetimes\(\) needs lifetimes"):
        to_lifetimes(CDNOW)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: from_lifetimes(CDNOW), "fitter is one of lifetimes' BetaGeoFitter, .*; got BGNBD"),
        (lambda: from_lifetimes(type(to_lifetimes(CDNOW))()), "this BetaGeoFitter has none"),
        (
            lambda: to_lifetimes(NBD(r=0.5, alpha=10.0)),
            "model is one of BGNBD, MBGNBD, ParetoNBD, BGBB, GammaGamma for lifetimes; got NBD",
        ),
    ],
)
def test_what_has_no_counterpart_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()


@pytest.fixture
def customers():
    """Histories like CDNOW's, drawn, with money."""
    drawn = CDNOW.simulate(np.linspace(27, 39, 1_500), rng=2005)
    return drawn.assign(monetary_value=SPEND.simulate(drawn["frequency"], rng=2005))
