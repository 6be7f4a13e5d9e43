#!/bin/sh
# Before the files are removed. Debian calls it with "remove" or "upgrade", RPM with the number of versions that will be left.
set -e

case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac

# The stop hands the sessions over.
[ ! -d /run/systemd/system ] || systemctl disable --now farmstate.service || true
