"""How the pages put numbers into words."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django import template
from django.template.defaultfilters import date as formatted
from django.utils import timezone

from cases import labels
from cases.timeline import timeline

register = template.Library()
register.simple_tag(timeline)

_MINUTES_PER_HOUR, _MINUTES_PER_DAY = 60, 24 * 60


@register.filter
def span(length: timedelta) -> str:
    """A length of time in its two largest units: "12 min", "3 h 05 min", "2 d 4 h"."""
    minutes = max(0, int(length.total_seconds() // 60))
    if minutes < _MINUTES_PER_HOUR:
        return f"{minutes} min"
    if minutes < _MINUTES_PER_DAY:
        return f"{minutes // _MINUTES_PER_HOUR} h {minutes % _MINUTES_PER_HOUR:02d} min"
    return f"{minutes // _MINUTES_PER_DAY} d {minutes % _MINUTES_PER_DAY // _MINUTES_PER_HOUR} h"


@register.filter
def acquired(moment: datetime, day: str) -> str:
    """When an image was made, the day in this format. Midnight stands for a time that the header does not say."""
    local = timezone.localtime(moment)
    return formatted(local, day if local.time() == time.min else f"{day}, H:i")


@register.filter
def class_title(code: str) -> str:
    """A class code as people read it."""
    return labels.title(code)


@register.filter
def percent(value: float) -> str:
    """A share of 0.934 as "93 %"; what is not all or nothing never reads 0 or 100."""
    whole = round(value * 100)
    if whole == 0 and value > 0:
        return "<1 %"
    if whole == 100 and value < 1:
        return ">99 %"
    return f"{whole} %"


@register.filter
def probability(value: float, digits: int = 3) -> str:
    """A probability in so many digits; what is not certain never reads 0.000 or 1.000."""
    shown, smallest = f"{value:.{digits}f}", 10**-digits
    if value > 0 and float(shown) == 0:
        return f"<{smallest:.{digits}f}"
    if value < 1 and float(shown) == 1:
        return f">{1 - smallest:.{digits}f}"
    return shown


@register.filter
def percent_width(value: float) -> str:
    """A probability as an SVG width."""
    return f"{value * 100:.1f}%"
