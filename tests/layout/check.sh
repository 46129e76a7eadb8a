#!/usr/bin/env bash
# The layout rules of this repository, as far as text can show them. Prints every breach as
# `file:line: rule` and exits 1 if there is one. Run by `make check`; takes a few seconds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

BREACHES="$(mktemp)"
PRODUCT="$(mktemp -d)"
trap 'rm -rf "$BREACHES" "$PRODUCT"' EXIT
breach() { printf '%s: %s\n' "$1" "$2" >>"$BREACHES"; }

mapfile -t RUST < <(find proxy adapter crates tests -name '*.rs' -not -path '*/target/*' | sort)

# --- sizes and names -----------------------------------------------------------------------------
for file in "${RUST[@]}"; do
  lines=$(wc -l <"$file")
  name="$(basename "$file" .rs)"
  [ "$lines" -lt 400 ] || breach "$file:$lines" "a file has fewer than 400 lines"
  case "$file" in */src/main.rs) [ "$lines" -lt 60 ] || breach "$file:$lines" "main.rs has fewer than 60 lines: it only wires" ;; esac
  [ "$name" != mod ] || breach "$file" "modules are foo.rs + foo/, never mod.rs"
  for part in ${file//\// }; do
    case "${part%.rs}" in
    util | utils | *_util | *_utils | helper | helpers | *_helper | *_helpers | common | manager | *_manager | handler | *_handler | misc)
      breach "$file" "'${part%.rs}' names nothing: name the module for what it holds" ;;
    esac
  done
done

# --- product code without its tests and comments ----------------------------------------------------
# One copy per file, line numbers kept: comment lines emptied, and all from `#[cfg(test)] mod …` on.
# Modules that only tests have (`#[cfg(test)] mod name;`) are left out with all below them.
TESTS_ONLY=()
while IFS=: read -r file name; do
  folder="${file%.rs}"
  case "$file" in */lib.rs | */main.rs) folder="$(dirname "$file")" ;; esac
  TESTS_ONLY+=("$folder/$name.rs" "$folder/$name/*")
done < <(awk '
  FNR == 1 { held = 0 }
  /^[ \t]*#\[cfg\(test\)\]/ { held = 1; next }
  held && /^[ \t]*(pub(\([a-z]+\))? )?mod [a-z_]+;/ { sub(/;.*/, ""); print FILENAME ":" $NF }
  !/^[ \t]*#\[/ { held = 0 }' "${RUST[@]}")

is_test() {
  local pattern
  case "$1" in tests/* | */tests/* | */benches/* | */examples/*) return 0 ;; esac
  for pattern in "${TESTS_ONLY[@]}"; do
    # shellcheck disable=SC2254 # a pattern
    case "$1" in $pattern) return 0 ;; esac
  done
  return 1
}

for file in "${RUST[@]}"; do
  if is_test "$file"; then continue; fi
  mkdir -p "$PRODUCT/$(dirname "$file")"
  awk '
    /^[ \t]*#\[cfg\(test\)\]/ { held = 1; print ""; next }
    held { if ($0 ~ /^[ \t]*(pub(\([a-z]+\))? )?mod [a-z_]+ *\{/) exit; held = 0; print ""; next }
    /^[ \t]*\/\// { print ""; next }
    { sub(/[ \t]\/\/ .*$/, ""); print }' "$file" >"$PRODUCT/$file"
done

# forbid RULE PATTERN FILES…: a line of product code that matches breaks the rule. Files may be missing.
forbid() {
  local rule="$1" pattern="$2" found
  shift 2
  for path in "$@"; do
    [ -e "$PRODUCT/$path" ] || continue
    while IFS= read -r found; do
      breach "${found%%:*}:$(cut -d: -f2 <<<"$found")" "$rule"
    done < <(cd "$PRODUCT" && grep -rHnE "$pattern" "$path" || true)
  done
}

uses() { printf '(^|[^A-Za-z0-9_:])(%s)::' "$1"; }
HTTP='http|http_body|http_body_util|hyper|hyper_util|hyper_rustls|reqwest|rmcp'

# --- what each part must not know ------------------------------------------------------------------
forbid "stores and vault know no HTTP" "$(uses "$HTTP")" proxy/src/{store,vault}.rs proxy/src/{store,vault}
forbid "config knows no HTTP server, no store driver and no environment" "$(uses 'hyper|hyper_util|fred|std::env|env')" {proxy,adapter}/src/config.rs {proxy,adapter}/src/config
forbid "error types know no HTTP server, store or provider types" "$(uses 'hyper|hyper_util|fred|openidconnect|reqwest')" {proxy,adapter,crates/cognito,crates/service}/src/error.rs
forbid "request steps know no sockets and no store" "$(uses 'tokio::net|std::net::Tcp|fred|crate::store|crate::vault::(seal|record|cache)')" proxy/src/pipeline/{parse,route,authenticate,identify,admit,rewrite,respond}.rs
forbid "OAuth steps take typed input: no hyper, no MCP" "$(uses 'hyper|hyper_util|rmcp')" proxy/src/oauth
forbid "only store/valkey.rs knows the store driver" "$(uses fred)" proxy/src/{oauth,pipeline,vault} proxy/src/{oauth,pipeline,vault,provider,limits,forward_auth,store}.rs proxy/src/store/memory.rs
forbid "only the binaries' main and service read the environment or exit" 'std::process::exit|std::env::(vars|var)\b' crates/cognito/src proxy/src/{oauth,pipeline,vault,store,config} adapter/src/{plane,tools,config}
forbid "crates/service knows no domain word" '(^|[^A-Za-z])(OAuth|oauth|Oauth|Cognito|cognito|MCP|Mcp|mcp|Bearer|bearer|Session|session|Plane|plane_|JWT|Jwt|jwt)' crates/service/src

depends() { # depends MANIFEST NAME: the manifest names the crate as a dependency
  grep -nE "^($2)( *=|\.workspace)" "$1" 2>/dev/null | cut -d: -f1
}
for line in $(depends proxy/Cargo.toml 'adapter|plane-mcp-adapter|rmcp'); do
  breach "proxy/Cargo.toml:$line" "the proxy knows neither the adapter nor MCP's server library"
done
for line in $(depends adapter/Cargo.toml 'mcp-edge-proxy|proxy|fred'); do
  breach "adapter/Cargo.toml:$line" "the adapter knows neither the proxy nor its store"
done
for line in $(depends crates/service/Cargo.toml 'cognito|openidconnect|jsonwebtoken|rmcp|fred'); do
  breach "crates/service/Cargo.toml:$line" "crates/service is below every domain crate"
done

# --- habits ------------------------------------------------------------------------------------------
# Clippy refuses unwrap and expect unless an attribute allows it; the proof stands there as its
# reason, or in a comment right above.
while IFS=: read -r file line _; do
  sed -n "$((line > 60 ? line - 60 : 1)),${line}p" "$file" | grep -qE '(expect|unwrap)_used' && continue
  sed -n "$((line > 3 ? line - 3 : 1)),${line}p" "$file" | grep -q '// ' ||
    breach "$file:$line" "unwrap or expect without the proof that it cannot fail"
done < <(cd "$PRODUCT" && grep -rnE '\.(unwrap|expect)\(' . | sed 's|^\./||' || true)

while IFS=: read -r file line _; do
  breach "$file:$line" "a note to do later names its issue: (#n)"
done < <(grep -nE '\b(TODO|FIXME|XXX|HACK)\b' "${RUST[@]}" | grep -vE '(TODO|FIXME)\(#[0-9]+\)' || true)

# A checkout that git refuses has files all the same: then nothing was looked at, which is no pass.
FILES="$(git ls-files -co --exclude-standard)" || { echo "layout: git does not list the files" >&2; exit 1; }
# Where packages come from is each machine's own setting. The dots are bracketed so that this file
# does not break its own rule; lock files are the package tools' to write.
REGISTRIES='(crates[.]io|rust-lang[.]org/rustup|pypi[.]org|pythonhosted[.]org|npmjs[.](org|com)|golang[.]org|deb[.]debian[.]org|maven[.]org)'
while IFS=: read -r file line _; do
  breach "$file:$line" "names a package registry's host"
done < <(grep -vE '(^|/)(Cargo\.lock|package-lock\.json|go\.sum)$' <<<"$FILES" | xargs -d '\n' grep -InE "$REGISTRIES" 2>/dev/null || true)

if [ -s "$BREACHES" ]; then
  sort -u "$BREACHES"
  echo "layout: $(sort -u "$BREACHES" | wc -l) breaches" >&2
  exit 1
fi
echo "layout: ${#RUST[@]} Rust files hold the rules"
