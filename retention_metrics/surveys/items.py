"""One question: the share of the best answers, the mean, and every answer."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from retention_metrics._engine import adopt
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Columns, Interval, TableResult, result
from retention_metrics.surveys.answers import (
    WILSON,
    Counted,
    Question,
    counted_answers,
    interval_size,
    mean_interval,
    share_interval,
)


@result
class SurveyItem(TableResult):
    """Answers to one question: share of the best, mean, and every answer.

    Attributes
    ----------
    share : float
        Share of the ``top`` best answers, from 0 to 1.
    share_interval : Interval or None
        Its score interval.
    mean : float
        Mean answer, on the scale.
    mean_interval : Interval or None
        Its score interval, inside the scale.
    top : int
        Number of best answers that count in the share.
    responses : int
        Answers.
    effective_n : float
        Kish's effective number of answers; all of them without weights.
    scale : str
        The answers that were offered, such as ``"1-5"``.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> item = rm.surveys.csat([5, 4, 3, 5, 1])
    >>> item.share, item.mean, item.responses
    (0.6, 3.6, 5)
    """

    kind: ClassVar[str] = "surveys.item"

    share: float
    share_interval: Interval | None
    mean: float
    mean_interval: Interval | None
    top: int
    responses: int
    effective_n: float
    scale: str

    def explain(self) -> Explanation:
        """The estimate as a share of the answers, or as their mean."""
        answers, weights = (np.array(self.columns[name], dtype=np.float64) for name in ("answer", "weight"))
        best = float(weights[-self.top :].sum())
        if self.definition.endswith("/mean"):
            return Explanation(
                formula="mean = sum of the answers / answers",
                values={"sum_of_answers": float(weights @ answers), "answers": float(weights.sum())},
                steps=(Step(name="mean", expression="sum_of_answers / answers"),),
                source="Interval of a mean: score test over multinomial shares; Tango, T. (1998), Statistics in "
                "Medicine 17, 891-908, for three answers.",
            )
        return Explanation(
            formula=f"share = answers among the {self.top} best / answers",
            values={"best": best, "answers": float(weights.sum())},
            steps=(Step(name="share", expression="best / answers"),),
            source=WILSON,
        )


def csat(
    answers: adopt.NativeFrame | ArrayLike,
    *,
    scale: str = "1-5",
    answer: str | None = None,
    top: int = 2,
    survey_weights: str | ArrayLike | None = None,
    population: int | None = None,
    level: float | None = 0.95,
) -> SurveyItem:
    """Customer satisfaction score: share of the two best answers.

    Parameters
    ----------
    answers : array_like of int, shape (n_responses,), or dataframe
        Answers on the scale, the best highest; missing ones are excluded and counted. A dataframe of any kind is
        counted in its own engine.
    scale : str, default "1-5"
        The answers that were offered, lowest and highest; any other answer is refused.
    answer : str, optional
        Column of the answers, beside a dataframe.
    top : int, default 2
        Number of best answers that count as satisfied.
    survey_weights : array_like of float or str, optional
        Sampling weights of at least 0, one per answer, or the column that holds them. Only their ratios matter.
    population : int, optional
        Number of customers from whom the answers are a sample; intervals shrink as it is used up.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.

    Returns
    -------
    SurveyItem
        ``estimate`` is the share, from 0 to 1, and ``.mean`` the mean answer, each with its interval. Rows of
        ``answer, responses, weight, share, low, high``, one per answer on the scale.

    Raises
    ------
    ColumnError
        If a column is missing or not of numbers.
    InputError
        If an answer is not on the scale, or none is left.

    Notes
    -----
    Shares carry Wilson's interval [1]_. The interval of the mean holds the means that a score test does not reject,
    with the variance of the likeliest shares of that mean; it is Tango's where there are three answers [2]_, stays
    inside the scale and has width where all answers are alike. With weights both are taken at Kish's effective number
    of answers [3]_.

    References
    ----------
    .. [1] Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. *Journal of the
       American Statistical Association* 22, 209-212.
    .. [2] Tango, T. (1998). Equivalence test and confidence interval for the difference in proportions for the
       paired-sample design. *Statistics in Medicine* 17, 891-908.
    .. [3] Kish, L. (1965). *Survey Sampling*. Wiley, section 8.2.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> satisfied = rm.surveys.csat([5] * 40 + [4] * 30 + [3] * 20 + [1] * 10)
    >>> satisfied.estimate, round(satisfied.interval.low, 3), round(satisfied.interval.high, 3)
    (0.7, 0.604, 0.781)
    >>> satisfied.mean, round(satisfied.mean_interval.low, 2), round(satisfied.mean_interval.high, 2)
    (3.9, 3.63, 4.12)
    """
    asked = Question.checked(scale=scale, top=top, population=population, level=level)
    return _item(counted_answers(answers, answer, survey_weights, asked), asked, name="csat", mean=False)


def ces(
    answers: adopt.NativeFrame | ArrayLike,
    *,
    scale: str = "1-7",
    answer: str | None = None,
    top: int = 3,
    survey_weights: str | ArrayLike | None = None,
    population: int | None = None,
    level: float | None = 0.95,
) -> SurveyItem:
    """Customer effort score: mean agreement that it was easy.

    Parameters
    ----------
    answers : array_like of int, shape (n_responses,), or dataframe
        Agreement that the company made it easy, on the scale; missing answers are excluded and counted.
    scale : str, default "1-7"
        The answers that were offered, lowest and highest; any other answer is refused.
    answer : str, optional
        Column of the answers, beside a dataframe.
    top : int, default 3
        Number of best answers in ``.share``: 5 to 7 of the seven.
    survey_weights : array_like of float or str, optional
        Sampling weights of at least 0, one per answer, or the column that holds them.
    population : int, optional
        Number of customers from whom the answers are a sample.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.

    Returns
    -------
    SurveyItem
        ``estimate`` is the mean answer and ``.share`` the share who found it easy; both are in use, so say which.

    Raises
    ------
    ColumnError
        If a column is missing or not of numbers.
    InputError
        If an answer is not on the scale, or none is left.

    Notes
    -----
    Version 2.0 of the score, where more is easier. Intervals as in ``csat``.

    References
    ----------
    .. [1] Dixon, M., Toman, N. and DeLisi, R. (2013). *The Effortless Experience*. Portfolio.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> effort = rm.surveys.ces([7, 6, 6, 5, 4, 2, 7, 5])
    >>> effort.estimate, effort.share
    (5.25, 0.75)
    """
    asked = Question.checked(scale=scale, top=top, population=population, level=level)
    return _item(counted_answers(answers, answer, survey_weights, asked), asked, name="ces", mean=True)


def likert(
    answers: adopt.NativeFrame | ArrayLike,
    *,
    scale: str = "1-5",
    answer: str | None = None,
    top: int = 2,
    survey_weights: str | ArrayLike | None = None,
    population: int | None = None,
    level: float | None = 0.95,
) -> SurveyItem:
    """Any item on a scale of whole numbers: its mean, and each answer's share.

    Parameters
    ----------
    answers : array_like of int, shape (n_responses,), or dataframe
        Answers on the scale; missing ones are excluded and counted.
    scale : str, default "1-5"
        The answers that were offered, lowest and highest; any other answer is refused.
    answer : str, optional
        Column of the answers, beside a dataframe.
    top : int, default 2
        Number of best answers in ``.share``.
    survey_weights : array_like of float or str, optional
        Sampling weights of at least 0, one per answer, or the column that holds them.
    population : int, optional
        Number of customers from whom the answers are a sample.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.

    Returns
    -------
    SurveyItem
        ``estimate`` is the mean answer, on the scale. Rows of ``answer, responses, weight, share, low, high``.

    Raises
    ------
    ColumnError
        If a column is missing or not of numbers.
    InputError
        If an answer is not on the scale, or none is left.

    Notes
    -----
    Intervals as in ``csat``. A mean takes the steps of the scale to be equal; the rows do not.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> rm.surveys.likert([3, 3, 2, 1], scale="1-3").to_frame()[["answer", "responses", "share"]]
       answer  responses  share
    0       1          1   0.25
    1       2          1   0.25
    2       3          2   0.50
    """
    asked = Question.checked(scale=scale, top=top, population=population, level=level)
    return _item(counted_answers(answers, answer, survey_weights, asked), asked, name="likert", mean=True)


def _item(counted: Counted, asked: Question, *, name: str, mean: bool) -> SurveyItem:
    n = int(counted.counts.sum())
    _refuse_small_population(n, asked)
    size = interval_size(counted, asked)
    shares = counted.weights / counted.weights.sum()
    best = float(counted.weights[-asked.top :].sum()) / float(counted.weights.sum())
    average = float(counted.weights @ asked.answers) / float(counted.weights.sum())
    of_share = share_interval(best, size, asked.level)
    of_mean = mean_interval(shares, size, asked)
    ends = [share_interval(float(share), size, asked.level) for share in shares]

    return SurveyItem(
        estimate=average if mean else best,
        interval=of_mean if mean else of_share,
        columns=Columns(
            {
                "answer": [int(answer) for answer in asked.answers],
                "responses": [int(rows) for rows in counted.counts],
                "weight": counted.weights.tolist(),
                "share": shares.tolist(),
                "low": [None if end is None else end.low for end in ends],
                "high": [None if end is None else end.high for end in ends],
            },
            {"weight": "number", **dict.fromkeys(("share", "low", "high"), "number")},
        ),
        unit="points" if mean else "share",
        definition=f"surveys.{name}/" + ("mean" if mean else f"top-{asked.top}"),
        excluded=counted.excluded,
        backend=counted.backend,
        share=best,
        share_interval=of_share,
        mean=average,
        mean_interval=of_mean,
        top=asked.top,
        responses=n,
        effective_n=counted.effective_n,
        scale=asked.scale,
    )


def _refuse_small_population(n: int, asked: Question) -> None:
    if asked.population is not None and asked.population < n:
        raise InputError(
            f"population is at least the number of answers, {n}; got {asked.population}.", argument="population"
        )
