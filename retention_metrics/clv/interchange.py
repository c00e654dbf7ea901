"""Models to and from the lifetimes package."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType, ModuleType
from typing import Any

import pandas as pd

from retention_metrics import _checks
from retention_metrics.clv.bg_nbd import BGNBD
from retention_metrics.clv.gamma_gamma import GammaGamma
from retention_metrics.errors import InputError

_FITTERS: Mapping[str, type[BGNBD | GammaGamma]] = MappingProxyType(
    {"BetaGeoFitter": BGNBD, "GammaGammaFitter": GammaGamma}
)
_PREDICT: Mapping[str, str] = MappingProxyType({"BetaGeoFitter": "conditional_expected_number_of_purchases_up_to_time"})


def from_lifetimes(fitter: object, *, unit: str | None = None) -> BGNBD | GammaGamma:
    """The model that a fitted lifetimes fitter holds.

    Parameters
    ----------
    fitter : lifetimes.BetaGeoFitter or lifetimes.GammaGammaFitter
        After its ``fit``.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time of its data, which lifetimes does not know.

    Returns
    -------
    BGNBD or GammaGamma
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
    if name not in _FITTERS:
        raise InputError(f"fitter is one of lifetimes' {', '.join(_FITTERS)}; got {name}.", argument="fitter")
    parameters = getattr(fitter, "params_", None)
    if parameters is None:
        raise InputError(f"fitter holds parameters after its fit; this {name} has none.", argument="fitter")

    model = _FITTERS[name]
    values: dict[str, Any] = {key: float(parameters[key]) for key in model.parameters}

    return model(**values, unit=unit) if model is BGNBD else model(**values)


def to_lifetimes(model: BGNBD | GammaGamma) -> Any:
    """A lifetimes fitter with the parameters of a model.

    Parameters
    ----------
    model : BGNBD or GammaGamma
        A model, for instance ``fit.model``.

    Returns
    -------
    lifetimes.BetaGeoFitter or lifetimes.GammaGammaFitter
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
    names = {cls: name for name, cls in _FITTERS.items()}
    if type(model) not in names:
        known = ", ".join(cls.__name__ for cls in names)
        raise InputError(f"model is one of {known} for lifetimes; got {type(model).__name__}.", argument="model")

    name = names[type(model)]
    fitter = getattr(_lifetimes(), name)()
    fitter.params_ = pd.Series(model.theta, index=list(model.parameters))
    if name in _PREDICT:
        fitter.predict = getattr(fitter, _PREDICT[name])

    return fitter


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
