from __future__ import annotations

from django.views import View

from inference.report.documents import page_response, pdf_response


class ReportView(View):
    http_method_names = ["get", "head"]

    def get(self, request, uid):
        return page_response(request, uid)


class ReportPdfView(View):
    http_method_names = ["get", "head"]

    def get(self, request, uid):
        return pdf_response(request, uid)
