from django.apps import AppConfig


class CasesConfig(AppConfig):
    name = "cases"

    def ready(self) -> None:
        from cases import inventory, lanes
        from portal.accounts import facilities

        inventory.register(
            inventory.FileColumn("cases.Radiograph", "original", "sha256"),
            inventory.FileColumn("cases.Radiograph", "preview", "preview_sha256"),
        )
        facilities.register(lanes.reorder)
