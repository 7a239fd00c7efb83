"""Model cards, written in Markdown, as HTML that is safe to put into a page.

markdown-it escapes all HTML in the text and refuses script addresses (`html` off). Beyond that a card brings nothing
along that is not its own text: figures are named, not shown, and links within the repository, which leads nowhere
here, become plain words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

_LOWEST_HEADING = 6


class _CardRenderer(RendererHTML):
    """One method a kind of token; markdown-it finds them by name."""

    def image(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return format_html('<span class="muted">[Figure: {}]</span>', tokens[index].content or "no title")

    def table_open(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return '<div class="table-responsive"><table>\n'

    def table_close(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>\n"


_MARKDOWN = MarkdownIt("commonmark", {"html": False}, renderer_cls=_CardRenderer).enable("table")


def render_card(text: str) -> SafeString:
    """The card as HTML; its headings start one level below the page's own."""
    tokens = _MARKDOWN.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1:]) + 1, _LOWEST_HEADING)}"
        if token.children:
            token.children = _without_inner_links(token.children)
    return mark_safe(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))  # noqa: S308 - see the module


def render_sections(text: str, titles: Iterable[str]) -> SafeString:
    """Those of the card's sections that have these titles, in this order, as HTML; empty where it has none of them."""
    _, *parts = re.split(r"^## +(.+?) *\n", text, flags=re.MULTILINE)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    return render_card("\n".join(f"## {title}\n{sections[title]}" for title in titles if title in sections))


def _without_inner_links(tokens: Sequence[Token]) -> list[Token]:
    """Links that lead to another site stay, and tell it nothing of where the reader came from."""
    kept, is_kept = [], True
    for token in tokens:
        if token.type == "link_open":
            is_kept = str(token.attrs.get("href", "")).startswith(("https://", "http://"))
            token.attrSet("rel", "noreferrer")
        if is_kept or token.type not in {"link_open", "link_close"}:
            kept.append(token)
    return kept
