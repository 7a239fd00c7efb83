"""`make reliability`: the portal's own processes under faults, and whether every accepted image still ends once."""
