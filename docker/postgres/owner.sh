#!/bin/sh
# PostgreSQL's image runs this once, in a new database: whoever takes over the portal gets its database, but not what a
# superuser may do besides, such as reading files and starting programs on the server.
#
# The role that owns the database has its name, and the password from .env. The superuser keeps none: it comes in by the
# container's socket only (docker compose ... exec postgres psql --username postgres).
set -eu

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=superuser="$POSTGRES_USER" --set=owner="$POSTGRES_DB" \
    --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv password POSTGRES_PASSWORD
CREATE ROLE :"owner" LOGIN NOSUPERUSER PASSWORD :'password';
ALTER DATABASE :"owner" OWNER TO :"owner";
ALTER ROLE :"superuser" PASSWORD NULL;
SQL
