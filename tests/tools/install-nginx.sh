#!/usr/bin/env bash
# Debian's nginx, a peer of `make bench`; it is not started as a service.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ -x /usr/sbin/nginx ] && exit 0
# Its package would start it, and take port 80, where there is a service manager.
policy=/usr/sbin/policy-rc.d
made=""
if [ "$(id -u)" = 0 ] && [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=1
fi
apt_install nginx-light || apt_install nginx || { [ -z "$made" ] || rm -f "$policy"; fail "no nginx: install it (Debian: nginx-light)"; }
[ -z "$made" ] || rm -f "$policy"
[ -x /usr/sbin/nginx ] || fail "nginx does not stand at /usr/sbin/nginx"
say "$(/usr/sbin/nginx -v 2>&1)"
