#!/bin/sh
# Makes the secrets that docker-compose.yml mounts, once: what is there stays. The folder is for nobody but who runs this; the files
# in it can be read by the containers' users, which are nobody on this machine.
set -eu
umask 077
dir=${1:-$(dirname "$0")/secrets}
mkdir -p "$dir"
chmod 700 "$dir"
cd "$dir"
fresh() { od -An -tx1 -N24 /dev/urandom | tr -d ' \n'; }
keep() { # keep NAME TEXT: writes TEXT unless NAME is there
  if [ -e "$1" ]; then return; fi
  printf '%s\n' "$2" > "$1.new"
  chmod 444 "$1.new"
  mv "$1.new" "$1"
}
for name in postgres_password rollcall_database_password openfga_database_password openfga_token rollcall_bootstrap_token nats_password; do
  keep "$name" "$(fresh)"
done
keep rollcall_database "postgres://rollcall:$(cat rollcall_database_password)@postgres:5432/rollcall?sslmode=disable"
keep rollcall_bus "nats://rollcall:$(cat nats_password)@nats:4222"
keep nats.conf "listen: 0.0.0.0:4222
http: 127.0.0.1:8222
authorization {
  users = [{user: rollcall, password: \"$(cat nats_password)\", permissions: {publish: \"rollcall.>\", subscribe: \"rollcall.>\"}}]
}"
keep openfga.yaml "datastore:
  engine: postgres
  uri: postgres://openfga:$(cat openfga_database_password)@postgres:5432/openfga?sslmode=disable
  maxOpenConns: 20
authn:
  method: preshared
  preshared:
    keys: [\"$(cat openfga_token)\"]
http:
  addr: 0.0.0.0:8080
grpc:
  addr: 0.0.0.0:8081
playground:
  enabled: false
log:
  format: json
  level: warn"
echo "secrets are in $dir; the first administrator's token is in rollcall_bootstrap_token"
