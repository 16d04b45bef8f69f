#!/usr/bin/env bash
# Chromium for the browser tests: Debian's package when root, a clear word when not.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" > /dev/null; then
        exit 0
    fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "installing chromium for the browser tests"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq > /dev/null || true
    apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core > /dev/null && exit 0
fi
echo "no Chromium here: the browser tests are skipped (on Debian: apt-get install chromium)"
