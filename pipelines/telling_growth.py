"""The growth curve of a file of scores as text or JSON."""

from __future__ import annotations

import json

import numpy as np

from pipelines.fitting_growth import TERMS, ToldGrowth
from pipelines.reading_growth import REASONS
from pipelines.telling_flags import counted


def as_json(told: ToldGrowth) -> str:
    """Return one object; numbers in full precision."""
    fit = told.fit
    errors = np.sqrt(np.diag(fit.coefficient_covariance))
    return json.dumps(
        {
            "n_cases": told.case_count,
            "n_scores": told.score_count,
            "method": fit.method,
            f"{fit.method}_criterion": fit.criterion,
            "fixed": dict(zip(TERMS, fit.coefficients.tolist(), strict=True)),
            "standard_errors": dict(zip(TERMS, errors.tolist(), strict=True)),
            "left_out": list(told.left_out),
            "covariance": fit.covariance.tolist(),
            "sigma": fit.residual_sd,
            "theta": fit.theta.tolist(),
            "therapist_variance": fit.therapist_variance,
            "serial_correlation": fit.serial_correlation,
            "is_log_time": told.is_log_time,
            "n_rows": told.row_count,
            "set_aside": dict(told.set_aside),
            "notes": list(told.notes),
            "seconds": round(told.seconds, 4),
        },
        indent=1,
    )


def as_text(told: ToldGrowth) -> str:
    """Return the fit for a reader."""
    fit = told.fit
    clock = "log(1 + time)" if told.is_log_time else "time"
    level, slope = np.sqrt(np.diag(fit.covariance))
    correlation = fit.covariance[0, 1] / (level * slope) if level * slope > 0.0 else 0.0
    errors = np.sqrt(np.diag(fit.coefficient_covariance))
    lines = [
        f"{counted(told.score_count, 'score')} of {counted(told.case_count, 'case')}; "
        f"score ~ {_fixed(told, clock)}, cases differ in "
        f"{'level and slope' if told.has_slopes else 'level alone'} ({fit.method.upper()})",
        "",
        *(
            f"  {term.replace('time', clock):<28}{value:>12.5g}   standard error {error:.3g}"
            for term, value, error in zip(TERMS, fit.coefficients, errors, strict=True)
            if term not in told.left_out
        ),
        "",
        f"  cases differ by (SD)         level {level:.4g}"
        + (f", slope {slope:.4g}, correlation {correlation:.3f}" if told.has_slopes else ""),
    ]
    if fit.therapist_variance is not None:
        lines.append(f"  therapists differ by (SD)    {np.sqrt(fit.therapist_variance):.4g}")
    lines.append(f"  residual (SD)                {fit.residual_sd:.4g}")
    if fit.serial_correlation is not None:
        lines.append(f"  of neighbouring sessions     correlated {fit.serial_correlation:.3f}")
    lines += [f"  {fit.method.upper()} criterion {fit.criterion:>27.6f}", ""]
    lines += [f"{counted(count, 'row')} set aside: {'it' if count == 1 else 'they'} "
              f"{_of_one(REASONS[why]) if count == 1 else REASONS[why]}."
              for why, count in told.set_aside.items()]  # fmt: skip
    lines += told.notes
    return "\n".join([*lines, f"{told.seconds:.2f} s"])


def _fixed(told: ToldGrowth, clock: str) -> str:
    """Return the fixed effects that were fitted, as in "time x baseline"."""
    if not told.left_out:
        return f"{clock} x baseline"
    fitted = [term for term in TERMS[1:] if term not in told.left_out]
    return " + ".join(term.replace("time", clock) for term in fitted) or "intercept"


def _of_one(reason: str) -> str:
    verb, rest = reason.split(" ", maxsplit=1)
    return f"{'has' if verb == 'have' else verb + 's'} {rest}"
