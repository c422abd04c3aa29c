#!/bin/sh
# Installs what the tests run against, on Debian 12, as root: OpenLDAP, 389 Directory Server, Samba AD, PostgreSQL, Chromium
# and fonts for Chinese.
# What is there already is left as it is. Everything comes from Debian's own packages.
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
need /usr/bin/chromium chromium
need /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc fonts-noto-cjk
if [ -z "$missing" ]; then
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
echo "deps: done"
