from django.apps import AppConfig


class InferenceConfig(AppConfig):
    name = "inference"

    def ready(self) -> None:
        from django.conf import settings

        from cases import dispatch, labels
        from inference import registry
        from inference.classes import classes_of
        from inference.services import enqueue

        registry.site_folder = settings.SITE_WEIGHTS_DIR  # the registry itself knows no Django
        dispatch.register(enqueue)
        labels.register(classes_of)
