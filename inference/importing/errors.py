"""The one way in which a weights file is refused."""

from __future__ import annotations

from portal.errors import DomainError


class WeightsRefused(DomainError):
    """A weights file is damaged, hostile or of another network."""

    code = "weights_refused"
    remedy = "Nothing was taken from it; save the weights again with Keras, or name the network that they are of."
