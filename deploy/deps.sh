#!/bin/sh
# Installs what the tests run against, on Debian 12, as root: OpenLDAP, 389 Directory Server, Samba AD, PostgreSQL, NATS,
# nginx, rsyslog, docker-compose (without Docker), systemd's checks, rpm, Chromium and fonts for Chinese; and OpenFGA's server, built from its source.
# What is there already is left as it is. Everything else comes from Debian's own packages.
set -eu
missing=
need() { # need FILE-PATTERN PACKAGES…: the packages where no file matches
  pattern=$1; shift
  for file in $pattern; do [ -e "$file" ] && return; done
  missing="$missing $*"
}
need /usr/sbin/slapd slapd
need /usr/bin/ldapsearch ldap-utils
need /usr/sbin/ns-slapd 389-ds-base
need /usr/bin/samba-tool samba-ad-dc samba winbind samba-ad-provision samba-dsdb-modules samba-vfs-modules python3-samba
need /usr/bin/openssl openssl
need '/usr/lib/postgresql/*/bin/postgres' postgresql
need /usr/sbin/nats-server nats-server
need /usr/sbin/nginx nginx-light
need '/usr/lib/*/rsyslog/lmnsd_ossl.so' rsyslog rsyslog-openssl
need /usr/bin/docker-compose docker-compose
need /usr/bin/systemd-analyze systemd
need /usr/bin/rpm rpm
need /usr/bin/chromium chromium
need /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc fonts-noto-cjk
root=$(dirname "$0")/..
version=$(sed -n 's|^[[:space:]]*github.com/openfga/openfga \(v[^ ]*\).*|\1|p' "$root/go.mod")
openfga() { # the version that is built into Rollcall, as a server of its own
  [ -e "$root/.deps/bin/openfga-$version" ] && return
  echo "deps: building openfga $version"
  mkdir -p "$root/.deps/bin"
  (cd "$root/.deps/bin" && CGO_ENABLED=0 GOBIN=$(pwd) "${GO:-go}" install "github.com/openfga/openfga/cmd/openfga@$version" && mv openfga "openfga-$version")
}
if [ -z "$missing" ]; then
  openfga
  echo "deps: everything is there"
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  echo "deps: run as root, or install:$missing" >&2
  exit 1
fi
echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
# A server that is installed to be started by tests must not start by itself.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' > $policy
  chmod +x $policy
  trap 'rm -f $policy' EXIT
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends $missing >/dev/null
openfga
echo "deps: done"
