from __future__ import annotations

from django.conf import settings
from django.utils.html import escape


def test_the_research_notice_stands_in_the_administration_too(client_of, administrator):
    page = client_of(administrator).get("/admin/").content.decode()
    assert escape(settings.RESEARCH_NOTICE) in page
