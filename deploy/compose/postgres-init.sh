#!/bin/sh
# Run once by the image of PostgreSQL, on an empty volume: a user and a database for Rollcall, and for OpenFGA. Neither is a superuser,
# and neither sees the other's.
set -eu
secrets=${SECRETS:-/run/secrets}
for name in rollcall openfga; do
  psql -v ON_ERROR_STOP=1 --quiet --username "$POSTGRES_USER" --dbname postgres \
    -v name="$name" -v password="$(cat "$secrets/${name}_database_password")" <<'SQL'
create role :"name" login password :'password';
create database :"name" owner :"name";
revoke all on database :"name" from public;
SQL
done
