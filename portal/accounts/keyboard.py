"""Which key does what: the usual keys, and those that a user has chosen instead."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from portal.accounts.access import Action
from portal.errors import DomainError

WORKLIST, CASE = "worklist", "case"
RESERVED = frozenset("?+-=0")  # show the keys; zoom the image that has the focus, and fit it
LABELS = 5


@dataclass(frozen=True)
class KeyAction:
    """Something that a key does on the named pages."""

    name: str
    title: str
    usual_key: str
    pages: tuple[str, ...] = (CASE,)
    needs: Action | None = None


ACTIONS = (
    KeyAction("row-down", "Next row of the worklist; Enter opens it", "j", (WORKLIST,)),
    KeyAction("row-up", "Row before", "k", (WORKLIST,)),
    KeyAction("search", "Search the worklist", "/", (WORKLIST,)),
    KeyAction("next-case", "Next case", "n", (WORKLIST, CASE), Action.REVIEW_CASE),
    *(
        KeyAction(
            f"label-{number}",
            f"Label {number}: first impression, then final label",
            str(number),
            needs=Action.REVIEW_CASE,
        )
        for number in range(1, LABELS + 1)
    ),
    KeyAction("sign", "Sign; asks first", "s", needs=Action.REVIEW_CASE),
    KeyAction("invert", "Invert the greys", "i"),
    KeyAction("heatmap", "Heatmap on or off", "h"),
    KeyAction("outline", "Heatmap as colour or outline", "o"),
    KeyAction("fainter", "Fainter heatmap", "["),
    KeyAction("stronger", "Stronger heatmap", "]"),
    KeyAction("reset", "Everything as it was", "r"),
    KeyAction("zoom", "Actual size and back", "z"),
    KeyAction("fit", "Fit the whole image", "f"),
    KeyAction("rotate", "Rotate by a quarter", "t"),
    KeyAction("flip", "Flip left and right", "x"),
    KeyAction("pan", "Drag moves the image", "p"),
    KeyAction("window", "Drag changes the window", "w"),
    KeyAction("length", "Drag measures a length", "l"),
    KeyAction("magnifier", "Magnifier", "m"),
)


class KeyRefused(DomainError):
    code = "key_refused"
    remedy = "Choose another key."


def keys_of(user) -> dict[str, str]:
    """The user's key of each action; "" where they chose its usual key for another one before the action was there."""
    taken = set(user.own_keys.values())
    usual = {action.name: "" if action.usual_key in taken else action.usual_key for action in ACTIONS}
    return usual | {name: key for name, key in user.own_keys.items() if name in usual}


def keys_on(user, page: str) -> list[tuple[KeyAction, str]]:
    """What the keys of one page do for this user, in the order in which they are shown."""

    def may(action: KeyAction) -> bool:
        return action.needs is None or user.has_perm(action.needs)

    keys = keys_of(user)
    return [(action, key) for action in ACTIONS if (key := keys[action.name]) and page in action.pages and may(action)]


@transaction.atomic
def choose_keys(*, user, keys: dict[str, str]) -> None:
    """Keeps the user's key of each action; only what differs from the usual keys is stored.

    Raises:
        KeyRefused: A key is no single sign, is reserved, or would do two things.
    """
    taken: dict[str, KeyAction] = {}
    for action in ACTIONS:
        key = keys[action.name].lower()
        if len(key) != 1 or not key.isprintable() or key.isspace():
            raise KeyRefused(f"“{action.title}” needs a key that types one sign.")
        if key in RESERVED:
            raise KeyRefused(f"The key “{key}” is reserved.")
        if key in taken:
            raise KeyRefused(f"The key “{key}” is given to both “{taken[key].title}” and “{action.title}”.")
        taken[key] = action
    user.own_keys = {action.name: key for key, action in taken.items() if key != action.usual_key}
    user.save(update_fields=["own_keys"])


@transaction.atomic
def reset_keys(*, user) -> None:
    """Goes back to the usual keys, also to such as come later."""
    user.own_keys = {}
    user.save(update_fields=["own_keys"])
