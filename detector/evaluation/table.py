"""The figures as a table of text for a terminal: methods side by side, then kind by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detector.evaluation.figures import Ci, Figures, MethodFigures
from detector.evaluation.reasons import KindReasons

OURS = "nozzlewatch"
UNKNOWN = "-"
HUNDRED = 100.0


def table(figures: Figures, *, ours: str = OURS) -> str:
    """Several lines without colours; ``ours`` names the method that the figures are of."""
    methods = {ours: figures, **figures.baselines}
    return "\n\n".join((_set(figures), _methods(methods), _kinds(figures), _alone(figures)))


def count_text(value: float | None, ci: Ci = None, digits: int = 1) -> str:
    """A number with its interval: "4.2 [3.1, 5.5]"."""
    if value is None:
        return UNKNOWN
    told = f"{value:.{digits}f}"
    return told if ci is None else f"{told} [{ci[0]:.{digits}f}, {ci[1]:.{digits}f}]"


def share_text(value: float | None, ci: Ci = None) -> str:
    """A share 0..1 in percent with its interval: "92 % [88, 95]"."""
    if value is None:
        return UNKNOWN
    told = f"{HUNDRED * value:.0f} %"
    return told if ci is None else f"{told} [{HUNDRED * ci[0]:.0f}, {HUNDRED * ci[1]:.0f}]"


def seconds_text(value: float | None, ci: Ci = None) -> str:
    """Seconds with their interval: "25 s [20, 30]"."""
    if value is None:
        return UNKNOWN
    told = f"{value:.0f} s"
    return told if ci is None else f"{told} [{ci[0]:.0f}, {ci[1]:.0f}]"


def reason_text(one: KindReasons | None) -> str:
    """Reasons that name what fails, of those that are known: "9 of 10: 90 % [60, 98]"."""
    if one is None:
        return UNKNOWN
    return f"{one.right} of {one.prints}: {share_text(one.share, one.share_ci)}"


def _set(figures: Figures) -> str:
    return (
        f"{figures.prints} prints, {figures.failing} of them failing, {figures.hours:.0f} hours "
        f"({figures.print_hours_median:.1f} each, median), "
        f"weighed so that {HUNDRED * figures.failing_share:.0f} in 100 fail; 95 % intervals"
    )


def _methods(methods: Mapping[str, MethodFigures]) -> str:
    head = ("method", "mistakes / 100", "false alarms / h", "precision", "recall", "F1", "PR-AUC", "delay")
    return _aligned([head, *(_method(name, one) for name, one in methods.items())])


def _method(name: str, one: MethodFigures) -> Sequence[str]:
    return (
        name,
        count_text(one.mistakes_per_100, one.mistakes_ci),
        count_text(one.false_alarms_per_print_hour, one.false_alarms_ci, 3),
        share_text(one.precision),
        share_text(one.recall, one.recall_ci),
        count_text(one.f1, digits=2),
        count_text(one.pr_auc, digits=2),
        seconds_text(one.delay_median_s),
    )


def _kinds(figures: Figures) -> str:
    rows = (
        (
            name,
            str(one.prints),
            share_text(one.recall, one.recall_ci),
            seconds_text(one.delay_median_s),
            reason_text(figures.reasons.kinds.get(name)),
        )
        for name, one in figures.kinds.items()
    )
    return _aligned([("kind", "prints", "recall", "delay", "reason right"), *rows])


def _alone(figures: Figures) -> str:
    within = ", ".join(f"{share_text(share)} in {s} s" for s, share in figures.recall_within.items())
    return "\n".join(
        (
            f"failures told: {within}; 90 % of those found by {seconds_text(figures.delay_p90_s)}",
            f"named right: {share_text(figures.named_right, figures.named_right_ci)}; "
            f"onset off by {seconds_text(figures.onset_error_median_s)}",
            "reasons that name first what fails: "
            f"{share_text(figures.reasons.share, figures.reasons.share_ci)} "
            f"({figures.reasons.right} of {figures.reasons.prints} alarms)",
            _lead(figures),
        )
    )


def _lead(figures: Figures) -> str:
    if not figures.lead_prints:
        return "the firmware halted none of the heater and sensor faults"
    before = share_text(figures.lead_before, figures.lead_before_ci)
    return (
        f"before the firmware's own halt: {before} of {figures.lead_prints}, "
        f"by {seconds_text(figures.lead_median_s)} (median)"
    )


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)
