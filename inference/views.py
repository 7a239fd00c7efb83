from __future__ import annotations

from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views import View
from django.views.generic import DetailView, ListView, TemplateView
from django_htmx.http import trigger_client_event

from cases import labels, truth
from cases.blinding import blinding_of
from cases.models import Radiograph, Review
from inference.agreement import between_readers, with_the_ai
from inference.cards import render_card
from inference.media import heatmap_response
from inference.models import ModelVersion, Pipeline, Run
from inference.presentation import results_of
from inference.services import retry_run
from inference.switching import switching_by_reader
from portal.audit.models import Event
from portal.audit.services import record


class ResultsView(View):
    """The results panel alone: a case page asks for it until the run has ended.

    Only the answer that shows a conclusion leaves an audit row, so a waiting page writes nothing.
    """

    def get(self, request, uid):
        visible = Radiograph.objects.visible_to(request.user).select_related("case__facility")
        radiograph = get_object_or_404(visible, uid=uid)
        results = results_of(radiograph, blinding_of(request.user))
        if results.is_final and not results.is_withheld:
            record(Event.VIEWED_PREDICTION, actor=request.user, obj=radiograph, request=request)
        response = render(request, "inference/_results_update.html", {"results": results})
        return trigger_client_event(response, "ai-ended") if results.is_final else response


class HeatmapView(View):
    http_method_names = ["get", "head"]

    def get(self, request, uid):
        return heatmap_response(request, uid)


class RetryRunView(View):
    def post(self, request, uid):
        run = get_object_or_404(
            Run.objects.visible_to(request.user).select_related("radiograph__case__facility"), uid=uid
        )
        retry_run(run, actor=request.user, request=request)
        case_page = reverse("cases:case", args=[run.radiograph.case.uid])
        return redirect(f"{case_page}?radiograph={run.radiograph.uid}")


class SwitchingView(TemplateView):
    """For leads: how often readers change their first impression after they have seen the AI's reading."""

    template_name = "inference/switching.html"

    def get_context_data(self, **kwargs):
        rows = switching_by_reader(Review.objects.visible_to(self.request.user))
        return super().get_context_data(**kwargs, rows=rows, covid=labels.title(labels.COVID), rule=truth.RULE)


class AgreementView(TemplateView):
    """For leads: how far readers agree with each other and with the AI."""

    template_name = "inference/agreement.html"

    def get_context_data(self, **kwargs):
        reads = Review.objects.visible_to(self.request.user)
        return super().get_context_data(**kwargs, between=between_readers(reads), with_ai=with_the_ai(reads))


class ModelListView(ListView):
    template_name = "inference/models.html"
    context_object_name = "versions"
    queryset = ModelVersion.objects.select_related("network").prefetch_related("pipelines")


class ModelView(DetailView):
    """One model version with its card."""

    template_name = "inference/model.html"
    context_object_name = "version"
    queryset = ModelVersion.objects.select_related("network").prefetch_related("pipelines")
    slug_field = slug_url_kwarg = "uid"

    def get_context_data(self, **kwargs):
        active = any(pipeline.status == Pipeline.Status.ACTIVE for pipeline in self.object.pipelines.all())
        return super().get_context_data(**kwargs, card=render_card(self.object.card), is_active=active)
