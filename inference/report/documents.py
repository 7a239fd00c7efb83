"""The two forms of a report. Page and API answer with the same; looking at either leaves an audit row."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from cases.views.page import visible_case
from inference.report.content import Report, report_of
from inference.report.pictures import pictures_of
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import DomainError

STYLE = "portal/report.css"


class PdfUnavailable(DomainError):
    """The machine lacks the libraries that WeasyPrint draws with."""

    code = "pdf_unavailable"
    status = 503
    remedy = "Print the report's page instead, and ask the administrator to install Pango on the server."


def page_response(request, uid) -> HttpResponse:
    """The report as a page with a style sheet for printing; 404 for what the user may not see."""
    report = _asked_for(request, uid, "page")
    return render(request, "inference/report/page.html", {"report": report})


def pdf_response(request, uid) -> HttpResponse:
    """The report as a PDF file, whose name and properties hold nothing of the patient.

    Raises:
        PdfUnavailable: PDF cannot be made on this machine; the page still works.
        PdfBusy: Other reports take too long.
        FileMissing, FileDamaged: An image's stored file cannot be used.
    """
    try:
        from inference.report.pdf import render_pdf
    except OSError as error:  # what ctypes says of a library that is not there
        raise PdfUnavailable("PDF files cannot be made on this server.") from error
    report = _asked_for(request, uid, "PDF")
    context = {"report": report, "site_name": settings.SITE_NAME, "research_notice": settings.RESEARCH_NOTICE}
    html = render_to_string("inference/report/document.html", context)
    pdf = render_pdf(html, _style(), pictures_of(report))
    response = HttpResponse(pdf, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{file_name(report)}"'
    return response


def file_name(report: Report) -> str:
    """The same for the same version of the same case."""
    read = report.reads.in_force
    version = f"version-{read.signed_version}" if read else "draft"
    return f"report-{report.case.uid}-{version}.pdf"


def _asked_for(request, uid, form: str) -> Report:
    case = visible_case(request.user, uid)
    record(Event.VIEWED_REPORT, actor=request.user, obj=case, request=request, detail=form)
    return report_of(case, request.user, heatmap=request.GET.get("heatmap", ""))


def _style() -> str:
    path = finders.find(STYLE)
    return Path(str(path)).read_text()
