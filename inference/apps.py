import os

from django.apps import AppConfig

# Before anything imports TensorFlow: it takes oneDNN's convolutions by itself only on processors with AVX512-VNNI.
# Measured on two cores with AVX2, images per second in training without and with: Covidnet-8 at 193 pixels 6.0 and
# 12.2, ResNet-50 at 128 pixels 7.2 and 14.6, VGG-19 at 64 pixels 7.7 and 10.8.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# The matrices of the gate and of a heatmap are small: OpenBLAS' own threads only wait for each other there. On two
# cores they doubled the processor time of the gate. Read when NumPy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# GPU memory is taken as it is needed, not all of it at the start.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


class InferenceConfig(AppConfig):
    name = "inference"

    def ready(self) -> None:
        from django.conf import settings

        from cases import dispatch, inventory, labels
        from inference import engines, registry
        from inference.activation import alarms
        from inference.classes import classes_of
        from inference.services import enqueue
        from inference.urgency import follow_priority
        from portal import health

        # Registry and engines themselves know no Django.
        registry.site_folder = settings.SITE_WEIGHTS_DIR
        engines.cache_folder = settings.ENGINE_CACHE_DIR
        dispatch.register(enqueue, follow_priority)
        labels.register(classes_of)
        health.register(alarms)
        inventory.register(inventory.FileColumn("inference.Heatmap", "image", "sha256"))
