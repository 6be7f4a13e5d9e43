#!/bin/sh
# After the files are in place. Debian calls it with "configure" and the version before, RPM with the number of versions installed.
set -e

case "$1" in
configure) before=$2 ;;
1) before= ;;
[2-9]) before=another ;;
*) exit 0 ;;
esac

if ! getent passwd farmstate >/dev/null; then
	systemd-sysusers farmstate.conf >/dev/null 2>&1 ||
		useradd --system --user-group --home-dir /var/lib/farmstate --no-create-home --shell /usr/sbin/nologin --comment 'farmstate session state' farmstate
fi

# What is reserved already stays so. In a container the setting may be somebody else's.
ports=/proc/sys/net/ipv4/ip_local_reserved_ports
if [ -w $ports ]; then
	now=$(cat $ports)
	echo "${now:+$now,}42424-42426,42480" >$ports 2>/dev/null || true
fi

[ ! -d /run/systemd/system ] || systemctl daemon-reload || true

if [ -z "$before" ]; then
	echo 'farmstate: look at /etc/farmstate/farmstate.toml, then start it with: systemctl enable --now farmstate'
else
	# Nodes of a farm have to be restarted one after the other, which a package cannot know.
	echo 'farmstate: a node that runs goes on with the version before until: systemctl restart farmstate'
fi
