from __future__ import annotations

from django.shortcuts import render
from django.views import View

from cases.forms import LabFileForm
from cases.lab_import import BYTES_AT_MOST, COLUMNS, ROWS_AT_MOST, Report, import_lab_results
from portal.csv_export import csv_response
from portal.errors import DomainError


class LabImportView(View):
    """A lab's file in two steps: the first tells what would become of each row, the second does it.

    The checked text stands in the second step's form, so that nothing has to be chosen or kept twice.
    """

    def get(self, request):
        return self._page(LabFileForm())

    def post(self, request):
        form = LabFileForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._page(form, status=400)
        step = form.cleaned_data["step"]
        try:
            report = import_lab_results(
                content=form.sent, actor=request.user, dry_run=step != LabFileForm.IMPORT, request=request
            )
        except DomainError as error:
            form.add_error("file", str(error))
            return self._page(form, status=error.status)
        if step == LabFileForm.REFUSED:
            return _refused_rows(report)
        content = form.sent.decode("utf-8-sig") if report.is_dry_run else ""
        return self._page(LabFileForm(), report=report, content=content)

    def _page(self, form: LabFileForm, *, status: int = 200, **context):
        limits = {"columns": COLUMNS, "rows_at_most": ROWS_AT_MOST, "kilobytes_at_most": BYTES_AT_MOST // 1024}
        return render(self.request, "cases/lab_import.html", {"form": form, **limits, **context}, status=status)


def _refused_rows(report: Report):
    """The rows to be corrected, each as it was sent and with what is wrong; the line is that of the file."""
    rows = [
        [*(one.row.values[name] for name in COLUMNS), one.row.line, one.error.cause, one.error.remedy]
        for one in report.refused
        if one.error
    ]
    return csv_response("refused-lab-results", [*COLUMNS, "line", "cause", "remedy"], rows)
