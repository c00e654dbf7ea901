"""Models to and from the lifetimes package."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np
import pandas as pd

from retention_metrics import _checks
from retention_metrics.clv.model import Model, TimedModel
from retention_metrics.errors import InputError

FITTERS: Mapping[str, str] = MappingProxyType(
    {
        "BetaGeoFitter": "BGNBD",
        "ModifiedBetaGeoFitter": "MBGNBD",
        "ParetoNBDFitter": "ParetoNBD",
        "BetaGeoBetaBinomFitter": "BGBB",
        "GammaGammaFitter": "GammaGamma",
    }
)
"""lifetimes' classes and ours; their parameters have the same names."""
_AHEAD = "conditional_expected_number_of_purchases_up_to_time"


def from_lifetimes(fitter: object, *, unit: str | None = None) -> Model:
    """The model that a fitted lifetimes fitter holds.

    Parameters
    ----------
    fitter : lifetimes fitter
        A BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter, BetaGeoBetaBinomFitter or GammaGammaFitter after its
        ``fit``.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time of its data, which lifetimes does not know.

    Returns
    -------
    BGNBD, MBGNBD, ParetoNBD, BGBB or GammaGamma
        With exactly the fitter's parameters.

    Raises
    ------
    InputError
        If the fitter is of another class or has not been fitted.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> model = rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44)
    >>> rm.clv.from_lifetimes(rm.clv.to_lifetimes(model)) == model
    True
    """
    name = type(fitter).__name__
    if name not in FITTERS:
        raise InputError(f"fitter is one of lifetimes' {', '.join(FITTERS)}; got {name}.", argument="fitter")
    parameters = getattr(fitter, "params_", None)
    if parameters is None:
        raise InputError(f"fitter holds parameters after its fit; this {name} has none.", argument="fitter")

    model = _model_class(FITTERS[name])
    values: dict[str, Any] = {key: float(parameters[key]) for key in model.parameters}

    if issubclass(model, TimedModel):
        values["unit"] = unit
    return model(**values)


def to_lifetimes(model: Model) -> Any:
    """A lifetimes fitter with the parameters of a model.

    Parameters
    ----------
    model : BGNBD, MBGNBD, ParetoNBD, BGBB or GammaGamma
        A model, for instance ``fit.model``.

    Returns
    -------
    lifetimes fitter
        Ready to predict. It has no data, so what lifetimes computes from data is not there.

    Raises
    ------
    InputError
        If lifetimes has no such model.

    Notes
    -----
    Importing lifetimes changes pandas options and Python's warning filters; both are put back.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> fitter = rm.clv.to_lifetimes(rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426))
    >>> round(float(fitter.predict(39, 2, 30.43, 38.86)), 3)
    1.226
    """
    fitter = new_fitter(model)
    fitter.params_ = pd.Series(model.theta, index=list(model.parameters))
    if hasattr(fitter, _AHEAD):
        fitter.predict = getattr(fitter, _AHEAD)

    return fitter


def new_fitter(model: Model) -> Any:
    """A fitter of lifetimes for this kind of model, not fitted."""
    names = {ours: theirs for theirs, ours in FITTERS.items()}
    kind = type(model).__name__
    if kind not in names:
        raise InputError(f"model is one of {', '.join(names)} for lifetimes; got {kind}.", argument="model")
    return getattr(_lifetimes(), names[kind])()


def _model_class(name: str) -> type[Model]:
    found: type[Model] = getattr(importlib.import_module("retention_metrics.clv"), name)
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """lifetimes at work: it warns, sets filters and draws from NumPy's global generator; all is as it was after."""
    state = np.random.get_state()  # noqa: NPY002
    try:
        with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _lifetimes() -> ModuleType:
    """lifetimes, imported without its side effects on pandas options and warning filters."""
    with warnings.catch_warnings(action="ignore"), _kept("mode.chained_assignment"):
        try:
            return importlib.import_module("lifetimes")
        except ImportError:
            raise _checks.missing_dependency("lifetimes", extra="all", purpose="to_lifetimes()") from None


def _kept(option: str) -> AbstractContextManager[object]:
    """Within it a pandas option may change; after it the option is what it was."""
    try:
        return pd.option_context(option, pd.get_option(option))
    except KeyError:  # pandas dropped the option: nothing to put back
        return nullcontext()
