"""The door through which pages of other apps show results: ``{% results_of radiograph as results %}``."""

from __future__ import annotations

from django import template

from inference import presentation

register = template.Library()


@register.simple_tag
def results_of(radiograph) -> presentation.Results:
    return presentation.results_of(radiograph)
