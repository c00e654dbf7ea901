"""The loaders: rows in, a frame of the library asked for out."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import importlib
import importlib.resources
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from retention_metrics import _checks
from retention_metrics.errors import MissingDependencyError
from retention_metrics.results import BACKENDS, Cell, Columns, ColumnType, build_frame

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["cdnow", "cdnow_master", "sfo_survey", "telco"]

FrameKind = Literal["pandas", "polars", "pyarrow", "duckdb"]
FRAME_KINDS: tuple[FrameKind, ...] = (*BACKENDS, "duckdb")

_READ: Mapping[ColumnType, Callable[[str], Cell]] = {
    "integer": int,
    "number": float,
    "string": str,
    "datetime": dt.datetime.fromisoformat,  # reads 19970101 and 2017-05-13 alike
}
_CDNOW: Mapping[str, ColumnType] = {
    "customer_id": "integer",
    "date": "datetime",
    "quantity": "integer",
    "amount": "number",
}
_TELCO: Mapping[str, ColumnType] = {
    "SeniorCitizen": "integer",
    "tenure": "integer",
    "MonthlyCharges": "number",
    "TotalCharges": "number",
}
_SFO: Mapping[str, ColumnType] = {
    "interview_date": "datetime",
    "terminal_area": "string",
    "airline": "string",
    "weight": "number",
}


def cdnow(*, backend: FrameKind = "pandas") -> pd.DataFrame | pl.DataFrame | pa.Table | duckdb.DuckDBPyRelation:
    """Purchases of a tenth of the CDNOW cohort: a music shop's customers, 1997-98.

    Parameters
    ----------
    backend : {"pandas", "polars", "pyarrow", "duckdb"}, default "pandas"
        The library of the frame.

    Returns
    -------
    pandas.DataFrame, polars.DataFrame, pyarrow.Table or duckdb.DuckDBPyRelation
        A row per purchase.

    Raises
    ------
    MissingDependencyError
        If the library asked for is not installed.

    Notes
    -----
    Rows: 6,919, of 2,357 customers, 1997-01-01 to 1998-06-30; every tenth customer of `cdnow_master`.

    Columns: ``master_id`` (the customer in the whole cohort), ``customer_id`` (1 to 2,357), ``date`` (day),
    ``quantity`` (CDs), ``amount`` (US dollars).

    Source: the file CDNOW_sample.txt of the installed lifetimes package (MIT licence), read by path; the data are
    those of Fader and Hardie, free for academic use and without a formal licence.

    Caveats: all customers bought first in the first quarter of 1997, so this is one cohort, not a shop's whole
    log. A customer may have several rows on one day: 223 rows are such repetitions, 6,696 customer-days remain, and
    21 rows repeat another one in full, which may be real. 8 rows have an amount of zero. The literature calibrates
    up to 1997-09-30 and tests on the 39 weeks after it.

    References
    ----------
    .. [1] Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). "Counting your customers" the easy way.
       *Marketing Science* 24(2), 275-284.

    Examples
    --------
    >>> from retention_metrics import datasets
    >>> purchases = datasets.cdnow()
    >>> purchases.shape, purchases["customer_id"].nunique()
    ((6919, 5), 2357)
    """
    types: dict[str, ColumnType] = {"master_id": "integer", **_CDNOW}
    return _frame((line.split() for line in _lifetimes_lines("CDNOW_sample.txt")), types, backend)


def cdnow_master(*, backend: FrameKind = "pandas") -> pd.DataFrame | pl.DataFrame | pa.Table | duckdb.DuckDBPyRelation:
    """Purchases of the whole CDNOW cohort: a music shop's customers, 1997-98.

    Parameters
    ----------
    backend : {"pandas", "polars", "pyarrow", "duckdb"}, default "pandas"
        The library of the frame.

    Returns
    -------
    pandas.DataFrame, polars.DataFrame, pyarrow.Table or duckdb.DuckDBPyRelation
        A row per purchase.

    Raises
    ------
    MissingDependencyError
        If the library asked for is not installed.

    Notes
    -----
    Rows: 69,659, of 23,570 customers, 1997-01-01 to 1998-06-30.

    Columns: ``customer_id``, ``date`` (day), ``quantity`` (CDs), ``amount`` (US dollars).

    Source: the file CDNOW_master.txt of the installed lifetimes package (MIT licence), read by path; the data are
    those of Fader and Hardie, free for academic use and without a formal licence.

    Caveats: all customers bought first in the first quarter of 1997, so this is one cohort, not a shop's whole
    log. A customer may have several rows on one day: 2,068 rows are such repetitions, 67,591 customer-days remain,
    and 255 rows repeat another one in full, which may be real. 80 rows have an amount of zero.

    References
    ----------
    .. [1] Fader, P. S. and Hardie, B. G. S. (2001). Forecasting repeat sales at CDNOW: a case study.
       *Interfaces* 31(3), S94-S107.

    Examples
    --------
    >>> from retention_metrics import datasets
    >>> purchases = datasets.cdnow_master()
    >>> purchases.shape, int((purchases["amount"] == 0).sum())
    ((69659, 4), 80)
    """
    lines = _lifetimes_lines("CDNOW_master.txt")[1:]
    return _frame((line.split() for line in lines), _CDNOW, backend)


def telco(*, backend: FrameKind = "pandas") -> pd.DataFrame | pl.DataFrame | pa.Table | duckdb.DuckDBPyRelation:
    """Customers of a fictional telephone company, with contract and churn.

    Parameters
    ----------
    backend : {"pandas", "polars", "pyarrow", "duckdb"}, default "pandas"
        The library of the frame.

    Returns
    -------
    pandas.DataFrame, polars.DataFrame, pyarrow.Table or duckdb.DuckDBPyRelation
        A row per customer.

    Raises
    ------
    MissingDependencyError
        If the library asked for is not installed.

    Notes
    -----
    Rows: 7,043, one per ``customerID``; 1,869 are marked as churned.

    Columns, under the names of the source: ``customerID``; ``gender``; ``SeniorCitizen`` (0 or 1); ``Partner``,
    ``Dependents``, ``PhoneService``, ``PaperlessBilling`` and ``Churn`` (Yes or No); ``MultipleLines``,
    ``OnlineSecurity``, ``OnlineBackup``, ``DeviceProtection``, ``TechSupport``, ``StreamingTV`` and
    ``StreamingMovies`` (Yes, No or no such service); ``InternetService`` (DSL, Fiber optic, No); ``Contract``
    (Month-to-month, One year, Two year); ``PaymentMethod``; ``tenure`` (months, 0 to 72); ``MonthlyCharges`` (US
    dollars a month); ``TotalCharges`` (US dollars).

    Source: IBM sample data, https://github.com/IBM/telco-customer-churn-on-icp4d, Apache License 2.0. A copy comes
    with this library, with the licence beside it.

    Caveats: the company is fictional. The table is one snapshot without a date: ``Churn`` says who had left by
    then, so a share of it is not a rate per month or year. ``tenure`` is capped at 72 months, where 362 customers
    stand. ``TotalCharges`` is blank, here missing, for the 11 customers of tenure 0.

    Examples
    --------
    >>> from retention_metrics import datasets
    >>> customers = datasets.telco()
    >>> customers.shape, int(customers["TotalCharges"].isna().sum())
    ((7043, 21), 11)
    """
    header, rows = _bundled_rows("telco_churn.csv.gz")
    types: dict[str, ColumnType] = {name: _TELCO.get(name, "string") for name in header}
    return _frame(rows, types, backend)


def sfo_survey(*, backend: FrameKind = "pandas") -> pd.DataFrame | pl.DataFrame | pa.Table | duckdb.DuckDBPyRelation:
    """Answers of airport passengers, with a recommendation score and survey weights.

    Parameters
    ----------
    backend : {"pandas", "polars", "pyarrow", "duckdb"}, default "pandas"
        The library of the frame.

    Returns
    -------
    pandas.DataFrame, polars.DataFrame, pyarrow.Table or duckdb.DuckDBPyRelation
        A row per respondent.

    Raises
    ------
    MissingDependencyError
        If the library asked for is not installed.

    Notes
    -----
    Rows: 2,831 passengers of San Francisco International Airport, interviewed from 2017-05-05 to 2017-05-30.

    Columns: ``respondent_id`` and ``respnum`` (numbers of the interview); ``interview_date`` (day);
    ``terminal_area``, ``gate``, ``airline``, ``airline_code`` (where); ``nps_raw`` (how likely to recommend, 0 to
    10); ``overall_csat_raw`` (the airport as a whole, 1 to 5, 5 the best); ``weight`` (survey weight, mean 1);
    ``strata``, ``peak``, ``dest_geo``, ``trip_purpose``, ``times_flown``, ``age_code``, ``gender_code``,
    ``income_code``, ``lang`` (codes of the airport's questionnaire, as published).

    Source: San Francisco International Airport customer survey 2017, open data of the city on DataSF, commonly
    stated to be under the PDDL. A copy of these columns comes with this library, with its attribution beside it.

    Caveats: these are real answers. In ``nps_raw`` the code 11 means blank: it stands in 84 rows, and one more row
    holds nothing; with both set aside 2,746 answers are left. Counting the 11s as promoters overstates the score.
    143 rows have a blank in ``overall_csat_raw``, here missing. The weights run from 0.28 to 1.63: unweighted answers
    stand for the people asked, not for the airport's passengers.

    Examples
    --------
    >>> from retention_metrics import datasets
    >>> survey = datasets.sfo_survey()
    >>> survey.shape, int((survey["nps_raw"] == 11).sum())
    ((2831, 19), 84)
    >>> len(survey[survey["nps_raw"].between(0, 10)])
    2746
    """
    header, rows = _bundled_rows("sfo_survey_2017.csv.gz")
    types: dict[str, ColumnType] = dict.fromkeys(header, "integer")
    types |= _SFO
    return _frame(rows, types, backend)


def _lifetimes_lines(name: str) -> list[str]:
    """Lines of a data file of lifetimes, which importing would change pandas and the warning filters for."""
    spec = importlib.util.find_spec("lifetimes")
    path = Path(spec.origin).parent / "datasets" / name if spec and spec.origin else None
    if path is None or not path.is_file():
        raise MissingDependencyError(
            f"the CDNOW purchases come with lifetimes 0.11.3 or newer, which lacks {name} here: pip install lifetimes."
        )
    return path.read_text(encoding="ascii").splitlines()


def _bundled_rows(name: str) -> tuple[list[str], list[list[str]]]:
    packed = importlib.resources.files("retention_metrics.datasets").joinpath("data", name).read_bytes()
    header, *rows = csv.reader(gzip.decompress(packed).decode("utf-8").splitlines())
    return header, rows


def _frame(
    rows: Iterable[list[str]], types: Mapping[str, ColumnType], backend: FrameKind
) -> pd.DataFrame | pl.DataFrame | pa.Table | duckdb.DuckDBPyRelation:
    kind = _checks.choice(backend, FRAME_KINDS, name="backend")
    cells = {
        name: [_cell(text, types[name]) for text in column]
        for name, column in zip(types, zip(*rows, strict=True), strict=True)
    }
    columns = Columns(cells, types)
    return _relation(columns) if kind == "duckdb" else build_frame(columns, kind)


def _cell(text: str, kind: ColumnType) -> Cell:
    """One cell; a blank is missing, and so is the word for it where a number should stand."""
    if not text.strip() or (text == "Blank" and kind == "integer"):
        return None
    # The source writes a whole score as 7.0 in a column that has a blank.
    return int(float(text)) if kind == "integer" else _READ[kind](text)


def _relation(columns: Columns) -> duckdb.DuckDBPyRelation:
    try:
        module = importlib.import_module("duckdb")
    except ImportError:
        raise _checks.missing_dependency("duckdb", extra="duckdb", purpose="backend='duckdb'") from None
    # Its own database: the default connection belongs to the user.
    relation: duckdb.DuckDBPyRelation = module.connect().from_df(build_frame(columns, "pandas"))
    return relation
