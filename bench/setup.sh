#!/bin/sh
# bench/setup.sh: gets the peers that the benchmark compares with. Nothing of it touches the project's own
# environment: amqtt has one under bench/.cache, mosquitto and nats-server are Debian's packages. What is there is left alone,
# and what cannot be had is said here and left out of the table.
set -e
cd "$(dirname "$0")/.."
amqtt=amqtt==0.12.1
place=bench/.cache/amqtt
python=.venv/bin/python

make_environment() {
    rm -rf "$place"
    "$python" -m venv --without-pip "$place"
    "$python" -m pip --disable-pip-version-check --python "$place/bin/python" install "$amqtt"
    echo "$amqtt" >"$place/pin"
}

# Debian's package starts a broker on port 1883 when it is installed. The benchmark starts its own, on a free
# port of 127.0.0.1, so a policy forbids that for as long as the installation takes.
install() {
    policy=/usr/sbin/policy-rc.d
    if ! [ -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$1"
}

case ${1-} in
amqtt) make_environment ;;
mosquitto | nats-server) install "$1" ;;
*)
    [ "$(cat "$place/pin" 2>/dev/null)" = "$amqtt" ] ||
        tools/with-progress "amqtt, to compare with" "$0" amqtt ||
        echo "  amqtt could not be installed: it is left out" >&2
    PATH=$PATH:/usr/sbin
    for peer in mosquitto nats-server; do
        command -v "$peer" >/dev/null && continue
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            tools/with-progress "$peer, to compare with" "$0" "$peer" ||
                echo "  $peer could not be installed: it is left out" >&2
        else
            echo "  $peer is not installed: it is left out" >&2
        fi
    done
    ;;
esac
