#!/bin/sh
# Installs the real clients that some tests use from Debian's packages, where that is possible: as root on a
# system with apt. Elsewhere the tests that need them are left out, and say so.
command -v mosquitto_pub >/dev/null && command -v mosquitto_rr >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "  installing mosquitto-clients" >&2
    (apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q mosquitto-clients) >/dev/null 2>&1 ||
        echo "  mosquitto-clients could not be installed: its tests are left out" >&2
else
    echo "  mosquitto_pub is not installed: its tests are left out" >&2
fi
