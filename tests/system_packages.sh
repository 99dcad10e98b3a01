#!/bin/sh
# Debian packages that tests use as foreign peers. Installed where this user may; otherwise it says what is missing,
# and the tests that need it say why they are skipped. It never fails: tests run without them.
set -eu
PATH="/usr/sbin:$PATH" # where Debian has Orthanc, and users' PATH has not
missing=""
need() { command -v "$1" >/dev/null 2>&1 || [ -x "$1" ] || missing="$missing $2"; }
need storescu dcmtk
need dciodvfy dicom3tools
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
need Orthanc orthanc
command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || need chromium chromium
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "Not installed (this is not Debian; the tests that need them are skipped):$missing"
    exit 0
fi
if [ "$(id -u)" = 0 ]; then sudo=""; elif sudo -n true 2>/dev/null; then sudo="sudo"; else
    echo "Not installed, and this user may not install them:$missing"
    echo "The tests that need them are skipped. To run them: sudo apt-get install$missing"
    exit 0
fi
echo "Installing Debian packages for the tests:$missing"
failed() {
    echo "Could not install:$missing"
    echo "The tests that need them are skipped. To run them: sudo apt-get install$missing"
    exit 0
}
# Services that packages bring must not start: tests run their own, on free ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap '$sudo rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null && $sudo chmod 755 $policy || failed
fi
$sudo apt-get update -qq || failed
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null || failed
