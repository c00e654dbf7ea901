"""How often the intervals of a fit hold what made the data: simulated, counted, stored.

Of every model the parameters; of those with covariates also what a fit says of a few customers.

``python tests/clv_coverage.py`` writes tests/reference/clv_coverage.json from 2,000 data sets of each model;
tests/test_clv_coverage.py draws 200 others and compares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import retention_metrics as rm
from places import REFERENCE
from retention_metrics.clv import newton
from retention_metrics.clv.regression import of_one_customer
from retention_metrics.errors import FitError

LEVEL = 0.95
STORED = REFERENCE / "clv_coverage.json"


@dataclass(frozen=True)
class Case:
    """A model at known parameters, the data that it makes, and how those are fitted."""

    model: Any
    draw: Callable[[Any, np.random.Generator], Any]
    fit: Callable[[Any, Any], Any]
    profile: bool = False  # whether profile intervals are counted beside Wald's
    ask: Mapping[str, Any] | None = None  # what `predict` is asked, where intervals of its answers are counted too


def histories(size: int, low: float, high: float) -> Callable[[Any, np.random.Generator], pd.DataFrame]:
    """Customers who came in evenly over a while."""
    return lambda model, generator: model.simulate(np.linspace(low, high, size), rng=generator)


def fit_model(model: Any, data: pd.DataFrame) -> Any:
    return type(model).fit(data)


def spending(model: Any, generator: np.random.Generator) -> pd.DataFrame:
    frequency = 1 + generator.poisson(2, size=1000)
    return pd.DataFrame({"frequency": frequency, "monetary_value": model.simulate(frequency, rng=generator)})


def opportunities(model: Any, generator: np.random.Generator) -> pd.DataFrame:
    drawn = model.simulate(np.full(2000, 8), rng=generator)
    keys = ["frequency", "recency", "T"]
    return drawn.groupby(keys, as_index=False).size()


def contracts(model: Any, generator: np.random.Generator) -> pd.DataFrame:
    drawn = model.simulate(2000, horizon=8, rng=generator)
    return drawn.groupby(["duration", "churned"], as_index=False).size()


def fit_counted(model: Any, data: pd.DataFrame) -> Any:
    return type(model).fit(data, counts="size")


def fit_contracts(model: Any, data: pd.DataFrame) -> Any:
    return type(model).fit(data, duration="duration", churned="churned", counts="size")


def regression(base: Any, coefficients: Mapping[str, float], **levels: tuple[str, ...]) -> rm.clv.Regression:
    encoding = rm.clv.Encoding(columns=tuple(levels), levels=tuple(levels.values()))
    return rm.clv.Regression(base=base, coefficients=coefficients, encoding=encoding)


def histories_by_age(model: Any, generator: np.random.Generator) -> pd.DataFrame:
    age = generator.normal(size=2000)
    return model.at({"age": age}).simulate(np.linspace(30, 60, 2000), rng=generator).assign(age=age)


def fit_by_age(model: Any, data: pd.DataFrame) -> Any:
    return type(model.base).fit(data, purchase_covariates=["age"], dropout_covariates=["age"])


def spending_by_age(model: Any, generator: np.random.Generator) -> pd.DataFrame:
    age, frequency = generator.normal(size=900), 1 + generator.poisson(2, size=900)
    money = model.at({"age": age}).simulate(frequency, rng=generator)
    return pd.DataFrame({"frequency": frequency, "monetary_value": money, "age": age})


def fit_spending_by_age(model: Any, data: pd.DataFrame) -> Any:
    return rm.clv.GammaGamma.fit(data, purchase_covariates=["age"])


def contracts_by_plan(model: Any, generator: np.random.Generator) -> pd.DataFrame:
    plans = (contracts(of_one_customer(model, {"plan": plan}), generator).assign(plan=plan) for plan in PLANS)
    return pd.concat(plans)


def fit_contracts_by_plan(model: Any, data: pd.DataFrame) -> Any:
    columns = {"duration": "duration", "churned": "churned", "counts": "size"}
    return rm.clv.ShiftedBetaGeometric.fit(data, **columns, dropout_covariates=["plan"])


PLANS = ("basic", "pro")
BUYERS = pd.DataFrame({"frequency": [1, 2, 8], "recency": [5.0, 20.0, 38.0], "T": 40.0, "age": [1.0, -1.0, 0.5]})
SPENDERS = pd.DataFrame({"frequency": [0, 1, 6], "monetary_value": [None, 80.0, 20.0], "age": [2.0, -1.0, 0.5]})
CLIENTS = pd.DataFrame({"tenure": [0, 4, 2], "plan": ["basic", "pro", "pro"]})


def fit_regular(model: Any, data: pd.DataFrame) -> Any:
    return type(model).fit(data, k=model.k)


CASES: Mapping[str, Case] = {
    "BGNBD": Case(rm.clv.BGNBD(r=0.5, alpha=6.0, a=0.8, b=2.4), histories(2000, 30, 60), fit_model),
    "MBGNBD": Case(rm.clv.MBGNBD(r=0.6, alpha=6.0, a=0.8, b=2.0), histories(2000, 30, 60), fit_model, profile=True),
    "ParetoNBD": Case(rm.clv.ParetoNBD(r=0.6, alpha=6.0, s=0.8, beta=20.0), histories(2000, 40, 80), fit_model),
    "GGompertzNBD": Case(
        rm.clv.GGompertzNBD(r=1.0, alpha=2.0, b=0.1, s=1.0, beta=4.0), histories(1500, 40, 80), fit_model
    ),
    "BGCNBD": Case(rm.clv.BGCNBD(k=2, r=0.6, alpha=3.0, a=0.8, b=2.4), histories(1000, 30, 60), fit_regular),
    "BGBB": Case(rm.clv.BGBB(alpha=1.2, beta=0.75, gamma=0.8, delta=3.0), opportunities, fit_counted),
    "GammaGamma": Case(rm.clv.GammaGamma(p=6.0, q=3.7, v=15.0), spending, fit_model),
    "ShiftedBetaGeometric": Case(rm.clv.ShiftedBetaGeometric(alpha=0.8, beta=3.0), contracts, fit_contracts),
    "BetaDiscreteWeibull": Case(rm.clv.BetaDiscreteWeibull(alpha=0.8, beta=3.0, c=1.3), contracts, fit_contracts),
    "BGNBD with covariates": Case(
        regression(rm.clv.BGNBD(r=0.5, alpha=6.0, a=0.8, b=2.4), {"purchase.age": 0.4, "dropout.age": -0.3}, age=()),
        histories_by_age,
        fit_by_age,
        ask={"history": BUYERS, "horizon": 26},
    ),
    "GammaGamma with covariates": Case(
        regression(rm.clv.GammaGamma(p=6.0, q=3.7, v=15.0), {"purchase.age": 0.3}, age=()),
        spending_by_age,
        fit_spending_by_age,
        ask={"history": SPENDERS},
    ),
    "ShiftedBetaGeometric with covariates": Case(
        regression(rm.clv.ShiftedBetaGeometric(alpha=0.8, beta=3.0), {"dropout.plan[pro]": -0.6}, plan=PLANS),
        contracts_by_plan,
        fit_contracts_by_plan,
        ask={"history": CLIENTS, "horizon": 6},
    ),
}


def told(given: Any, ask: Mapping[str, Any]) -> dict[str, float]:
    """What a model, or a fit at a level, says of each customer: answers, and the ends of intervals, by name."""
    frame = given.predict(**ask).to_frame()
    added = [name for name in frame if name not in ask["history"]]
    return {f"{name}[{row}]": float(frame[name].iloc[row]) for name in added for row in range(len(frame))}


def in_profile(fit: Any, parameter: str, truth: float) -> bool:
    """Whether the profile interval holds a value: by the profile likelihood there, without looking for the ends."""
    names, start = fit.model.parameters, fit.model.theta.copy()
    place = names.index(parameter)
    start[place] = truth
    free = np.arange(start.size) != place
    peak = newton.maximise(fit.model._objective(fit.data, threads=1), start, centre=fit.centre, penalty=0.0, free=free)
    return bool(2 * (fit.log_likelihood - peak.log_likelihood) <= stats.chi2.ppf(LEVEL, 1))


def coverage(name: str, *, datasets: int, seed: int) -> dict[str, Any]:
    """Data sets that had a maximum, and how many of their intervals held each parameter and each answer."""
    case, generator = CASES[name], np.random.default_rng(seed)
    truth = dict(zip(case.model.parameters, map(float, case.model.theta), strict=True))
    held, fitted = dict.fromkeys(truth, 0), 0
    profile = dict.fromkeys(truth if case.profile else (), 0)
    answers = told(case.model, case.ask) if case.ask else {}
    answered = dict.fromkeys(answers, 0)
    for _ in range(datasets):
        try:
            found = case.fit(case.model, case.draw(case.model, generator))
        except FitError:
            continue
        fitted += 1
        for parameter, interval in found.intervals(level=LEVEL).items():
            held[parameter] += truth[parameter] in interval
        for parameter in profile:
            profile[parameter] += in_profile(found, parameter, truth[parameter])
        said = told(found, {**case.ask, "level": LEVEL}) if case.ask else {}
        for answer, value in answers.items():
            quantity, row = answer.split("[")
            answered[answer] += said[f"{quantity}_low[{row}"] <= value <= said[f"{quantity}_high[{row}"]
    counted = {"datasets": datasets, "fitted": fitted, "held": held}
    counted |= {"profile": profile} if case.profile else {}
    return counted | ({"answers": answered} if case.ask else {})


def main(names: list[str]) -> None:
    stored = json.loads(STORED.read_text(encoding="utf-8")) if STORED.is_file() else {}
    for name in names or list(CASES):
        model = {key: value for key, value in CASES[name].model.to_dict().items() if key not in ("kind", "schema")}
        stored[name] = {"model": model, "level": LEVEL, **coverage(name, datasets=2000, seed=2000)}
        STORED.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
