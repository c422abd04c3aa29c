#!/bin/sh
# Runs a script of this folder against a demo company: with-demo.sh SCRIPT. Expects bin/rollcall and console/node_modules.
set -eu
script=$1
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
./bin/rollcall demo --listen 127.0.0.1:0 --no-browser --ready-file "$work/ready.json" >"$work/log" 2>&1 &
demo=$!
trap 'kill "$demo" 2>/dev/null || true; wait "$demo" 2>/dev/null || true; rm -rf "$work"' EXIT
tries=0
until [ -s "$work/ready.json" ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 240 ] || ! kill -0 "$demo" 2>/dev/null; then
    cat "$work/log" >&2
    exit 1
  fi
  sleep 0.5
done
ROLLCALL_READY="$work/ready.json" node "console/dev/$script"
