#!/usr/bin/env bash
# Installs the kernel settings of 90-tidegate.conf for now and for every boot, then verifies them. Needs root.
# Undo: rm /etc/sysctl.d/90-tidegate.conf, then reboot.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if [[ $EUID -ne 0 ]]; then
  echo "apply.sh: kernel settings are root's: sudo $0" >&2
  exit 1
fi

install -m 0644 -D "$here/90-tidegate.conf" /etc/sysctl.d/90-tidegate.conf
# One setting that the kernel refuses must not keep the others away; verify.sh names it.
sysctl --quiet --load=/etc/sysctl.d/90-tidegate.conf || true
exec "$here/verify.sh"
