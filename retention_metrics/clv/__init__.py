"""Customer lifetime value: purchase histories, models of buying, dropping out and spending, and value."""

from __future__ import annotations

from retention_metrics.clv.base_value import NewCustomerValue, TotalValue, new_customer_value, total_value
from retention_metrics.clv.beta_discrete_weibull import BetaDiscreteWeibull
from retention_metrics.clv.bg_bb import BGBB
from retention_metrics.clv.bg_cnbd import BGCNBD
from retention_metrics.clv.bg_nbd import BGNBD
from retention_metrics.clv.comparison import LikelihoodRatio, ModelComparison, compare, likelihood_ratio
from retention_metrics.clv.contract_model import contract_value
from retention_metrics.clv.correlation import SpendCorrelation, spend_frequency_correlation
from retention_metrics.clv.covariates import Encoding
from retention_metrics.clv.cross_check import CrossCheck
from retention_metrics.clv.fitting import Fit
from retention_metrics.clv.frequency_fit import FrequencyFit, frequency_fit
from retention_metrics.clv.gamma_gamma import GammaGamma
from retention_metrics.clv.ggompertz_nbd import GGompertzNBD
from retention_metrics.clv.history import PurchaseHistory, history, rfm_summary
from retention_metrics.clv.holdout import Holdout, Ranking, holdout, rank
from retention_metrics.clv.interchange import from_lifetimes, to_lifetimes
from retention_metrics.clv.mbg_nbd import MBGNBD
from retention_metrics.clv.pareto_nbd import ParetoNBD
from retention_metrics.clv.posterior import Posterior
from retention_metrics.clv.regression import CoefficientTable, Regression, coefficients
from retention_metrics.clv.shifted_beta_geometric import ShiftedBetaGeometric
from retention_metrics.clv.tracking import AlivePath, Tracking, alive_path, tracking
from retention_metrics.clv.value import SimpleValue, lifetime_value, simple_value

__all__ = [
    "BGBB",
    "BGCNBD",
    "BGNBD",
    "MBGNBD",
    "AlivePath",
    "BetaDiscreteWeibull",
    "CoefficientTable",
    "CrossCheck",
    "Encoding",
    "Fit",
    "FrequencyFit",
    "GGompertzNBD",
    "GammaGamma",
    "Holdout",
    "LikelihoodRatio",
    "ModelComparison",
    "NewCustomerValue",
    "ParetoNBD",
    "Posterior",
    "PurchaseHistory",
    "Ranking",
    "Regression",
    "ShiftedBetaGeometric",
    "SimpleValue",
    "SpendCorrelation",
    "TotalValue",
    "Tracking",
    "alive_path",
    "coefficients",
    "compare",
    "contract_value",
    "frequency_fit",
    "from_lifetimes",
    "history",
    "holdout",
    "lifetime_value",
    "likelihood_ratio",
    "new_customer_value",
    "rank",
    "rfm_summary",
    "simple_value",
    "spend_frequency_correlation",
    "to_lifetimes",
    "total_value",
    "tracking",
]
