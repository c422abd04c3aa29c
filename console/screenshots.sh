#!/bin/sh
# Pictures of every page against the demo company, into console/dev/shots. Expects bin/rollcall and console/node_modules.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
./bin/rollcall demo --listen 127.0.0.1:0 --no-browser --ready-file "$work/ready.json" >"$work/log" 2>&1 &
demo=$!
trap 'kill "$demo" 2>/dev/null || true; wait "$demo" 2>/dev/null || true; rm -rf "$work"' EXIT
tries=0
until [ -s "$work/ready.json" ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 120 ] || ! kill -0 "$demo" 2>/dev/null; then
    cat "$work/log" >&2
    exit 1
  fi
  sleep 0.5
done
ROLLCALL_READY="$work/ready.json" OUT="${OUT:-console/dev/shots}" node console/dev/screenshots.mjs
