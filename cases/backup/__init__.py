"""Backups of the database and of the images that it knows, and the way back.

A backup folder holds one store of images for all backups in it, and a folder for each backup::

    media/facilities/...                  images under the names that the portal uses
    2026-11-25T230039.123456Z/
        database.dump                     pg_dump's custom format, or an SQLite file
        files.sha256                      what belongs to it: `sha256sum --check` reads it
        manifest.json                     counts and hashes

A backup gets its name when everything of it is on disk: what is called ``.partial-...`` is none.
"""
