"""How the dashboard puts durations into words."""

from __future__ import annotations

from django import template

from inference.dashboard import charts

register = template.Library()
register.filter("duration", charts.in_words)
