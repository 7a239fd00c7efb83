"""One catalogue of hostile and odd files: each kind by name, how its bytes are made, and what becomes of it.

The decoder's own tests and those of every door (page, API, batch) read it.
"""

from __future__ import annotations

from cases.tests.catalogue.dicoms import DICOMS
from cases.tests.catalogue.images import IMAGES

CATALOGUE = IMAGES | DICOMS
REFUSED = {name: kind for name, kind in CATALOGUE.items() if kind.code}
ACCEPTED = {name: kind for name, kind in CATALOGUE.items() if not kind.code}
