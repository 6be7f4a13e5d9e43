#!/bin/sh
# After the files are removed. Debian calls it with "remove", "purge" and more, RPM with the number of versions that are left.
# The account stays: files may belong to it. What was reserved for the ports stays until the next start of the machine.
set -e

case "$1" in
purge) rm -rf /var/lib/farmstate ;;
remove | 0) ;;
*) exit 0 ;;
esac
[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
