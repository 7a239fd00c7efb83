import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from portal.bodies import whole_bodies

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.production")

application = whole_bodies(get_wsgi_application())
_ = get_resolver().url_patterns  # imports every view now, not while the first visitor waits
