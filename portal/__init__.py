"""Configuration and the parts every other package stands on.

Deliberately empty: the image decoder's process imports ``portal.errors`` and must not load Celery or Django with it.
``celery -A portal`` finds the application in ``portal.celery``; ``cases.dispatch`` imports it for the web processes.
"""
