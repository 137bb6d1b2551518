#!/bin/sh
# Installs what some tests use from Debian's packages, where that is possible: as root on a system with apt.
# Elsewhere the tests that need them are left out, and say so.
have() {
    case $1 in
    mosquitto-clients) command -v mosquitto_pub >/dev/null && command -v mosquitto_rr >/dev/null ;;
    faketime) [ -n "$(find /usr/lib -name libfaketimeMT.so.1 2>/dev/null)" ] ;;
    esac
}

for package in mosquitto-clients faketime; do
    have "$package" && continue
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "  installing $package" >&2
        (apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$package") >/dev/null 2>&1 ||
            echo "  $package could not be installed: its tests are left out" >&2
    else
        echo "  $package is not installed: its tests are left out" >&2
    fi
done
