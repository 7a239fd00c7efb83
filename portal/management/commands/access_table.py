from __future__ import annotations

from collections.abc import Iterator

from django.core.management.base import BaseCommand

from portal.accounts.access import ROLE_ACTIONS, ROUTES, Action, Anyone, Role, Rule


class Command(BaseCommand):
    help = "Prints who may do what, as Markdown; docs/access.md holds the same."

    def handle(self, *args, **options):
        self.stdout.write("\n".join([*actions_by_role(), "", *rules_by_route()]))


def actions_by_role() -> Iterator[str]:
    """Lines of a table of permissions and the roles that have them."""
    yield "| Permission | " + " | ".join(role.label for role in Role) + " |"
    yield "|---" * (1 + len(Role)) + "|"
    others = sorted(set().union(*ROLE_ACTIONS.values()) - set(Action))
    for action in [*Action, *others]:
        marks = ["yes" if action in ROLE_ACTIONS[role] else "" for role in Role]
        yield f"| `{action}` | " + " | ".join(marks) + " |"


def rules_by_route() -> Iterator[str]:
    """Lines of a table of routes and what each asks for."""
    yield "| Route | Who |"
    yield "|---|---|"
    for route, rules in ROUTES.items():
        if isinstance(rules, dict):
            yield f"| `{route}` | " + "; ".join(f"{method}: {_words(rule)}" for method, rule in rules.items()) + " |"
        else:
            yield f"| `{route}` | {_words(rules)} |"


def _words(rule: Rule) -> str:
    if isinstance(rule, Anyone):
        return {Anyone.PUBLIC: "everybody", Anyone.SIGNED_IN: "everybody signed in"}[rule]
    return f"`{rule}`"
