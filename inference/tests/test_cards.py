from __future__ import annotations

import pytest

from inference.cards import render_card


def test_a_card_keeps_its_text_and_tables_under_the_headings_of_the_page():
    html = render_card("# Card\n\n## Data\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")

    for part in (
        "<h2>Card</h2>",
        "<h3>Data</h3>",
        '<div class="table-responsive"><table>',
        "<td>1</td>",
        "</table></div>",
    ):
        assert part in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '<img src="x" onerror="alert(1)">',
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "![x](javascript:alert(1))",
        '![<script>alert(1)</script>](x.png "<b>")',
        "<javascript:alert(1)>",
    ],
)
def test_nothing_in_a_card_becomes_foreign_markup(text):
    html = render_card(text)

    for mark in ("<script", "<img", "<a ", "<b>"):
        assert mark not in html


def test_a_figure_is_named_and_not_shown():
    html = render_card("![Reliability diagram](../evidence/x/val/reliability.png)\n\n![](y.png)")

    assert "[Figure: Reliability diagram]" in html
    assert "[Figure: no title]" in html
    assert ".png" not in html


def test_links_within_the_repository_become_words_and_others_stay():
    html = render_card(
        "See [the gate](gate-1.md), [a **file**](/etc/x) and [the paper](https://example.org/a?b=1&c=2)."
    )

    assert "See the gate, a <strong>file</strong> and" in html
    assert html.count("<a ") == 1
    assert 'href="https://example.org/a?b=1&amp;c=2" rel="noreferrer"' in html
