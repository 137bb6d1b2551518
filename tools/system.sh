#!/bin/sh
# Installs what some tests use from Debian's packages, where that is possible: as root on a system with apt.
# Elsewhere the tests that need them are left out, and say so. Tests start the servers themselves, on loopback.
have() {
    case $1 in
    mosquitto) command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] ;;
    mosquitto-clients) command -v mosquitto_pub >/dev/null && command -v mosquitto_rr >/dev/null ;;
    faketime) [ -n "$(find /usr/lib -name libfaketimeMT.so.1 2>/dev/null)" ] ;;
    postgresql) ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ;;
    mariadb-server) command -v mariadbd >/dev/null ;;
    redis-server) command -v redis-server >/dev/null ;;
    chromium-headless-shell) command -v chromium-headless-shell >/dev/null ;;
    fonts-noto-cjk) ls /usr/share/fonts/opentype/noto/NotoSansCJK* >/dev/null 2>&1 ;;
    slapd) [ -x /usr/sbin/slapd ] ;;
    libldap2-dev) [ -f /usr/include/ldap.h ] ;;
    libsasl2-dev) [ -f /usr/include/sasl/sasl.h ] ;;
    python3-dev) .venv/bin/python -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ;;
    esac
}

missing=
for package in mosquitto mosquitto-clients faketime postgresql mariadb-server redis-server slapd libldap2-dev \
    libsasl2-dev python3-dev chromium-headless-shell fonts-noto-cjk; do
    have "$package" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "  installing$missing" >&2
    # In run level 1 packages do not start their services.
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    # shellcheck disable=SC2086
    (apt-get update -q && apt-get install -y -q --no-install-recommends $missing) >/dev/null 2>&1
fi
for package in $missing; do
    have "$package" || echo "  $package is not installed: its tests are left out" >&2
done
