"""The door through which pages of other apps show results: ``{% results_of radiograph as results %}``."""

from __future__ import annotations

from django import template

from inference import presentation

register = template.Library()


@register.simple_tag(takes_context=True)
def results_of(context, radiograph) -> presentation.Results:
    """What the page's user may see of it, by the ``blinding`` that the page's view has put into the context."""
    return presentation.results_of(radiograph, context["blinding"])
