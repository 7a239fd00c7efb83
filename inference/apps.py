from django.apps import AppConfig


class InferenceConfig(AppConfig):
    name = "inference"

    def ready(self) -> None:
        from cases import dispatch
        from inference.services import enqueue

        dispatch.register(enqueue)
