#!/usr/bin/env bash
# `make fuzz`: builds the targets of fuzz/ and runs each of them, FUZZ_SECONDS each (60). FUZZ_TARGETS names some of them.
# Ends with a report, and for every crash with how to see it again.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/report.sh"
cd "$ROOT"

SECONDS_EACH="${FUZZ_SECONDS:-60}"
[[ "$SECONDS_EACH" =~ ^[1-9][0-9]*$ ]] || fail "FUZZ_SECONDS is a number of seconds, not '$SECONDS_EACH'"
bash "$HERE/install-cargo-fuzz.sh"
export PATH="$BIN:$PATH"
DIR="${CARGO_TARGET_DIR:-$ROOT/target}/fuzz"
# No sanitizer: our code is safe Rust, what is looked for is a panic, and without it there are many times more runs.
OPTIONS=(--sanitizer none --target-dir "$DIR")

if [ -n "${FUZZ_TARGETS:-}" ]; then
  read -r -a TARGETS <<<"$FUZZ_TARGETS"
else
  mapfile -t TARGETS < <(cargo +nightly fuzz list)
fi
cargo +nightly fuzz build "${OPTIONS[@]}" || fail "the fuzz targets do not build"

# One target: what is found new goes to a working corpus under target/, the committed one only seeds it.
run() {
  local target="$1" log="$REPORTS/fuzz-$1.log" found="$DIR/corpus/$1"
  local words="fuzz/dictionaries/$1.dict" more=()
  [ ! -f "$words" ] || more+=("-dict=$words")
  mkdir -p "$found" "fuzz/artifacts/$target"
  cargo +nightly fuzz run "${OPTIONS[@]}" "$target" "$found" "fuzz/corpus/$target" -- \
    "-max_total_time=$SECONDS_EACH" -timeout=10 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 \
    "${more[@]}" >"$log" 2>&1 && return 0
  echo "    what broke:" >&2
  grep -aE 'panicked at|SUMMARY|ERROR: ' -A 2 "$log" | head -n 12 | sed 's/^/      /' >&2
  local input
  input="$(grep -aoE 'fuzz/artifacts/[^ ]+' "$log" | tail -n 1)" || true
  echo "    again: cargo +nightly fuzz run --sanitizer none $target ${input:-(see $log)}" >&2
  return 1
}

start=$SECONDS
runs=""
for target in "${TARGETS[@]}"; do
  step "$target" run "$target"
  count="$(sed -n 's/^stat::number_of_executed_units: *//p' "$REPORTS/fuzz-$target.log" 2>/dev/null || true)"
  echo "    ${count:-0} runs"
  runs="$runs${runs:+,}\"$target\":${count:-0}"
done
printf '{"passed":%s,"seconds":%s,"seconds_each":%s,"runs":{%s},"steps":[%s]}\n' \
  "$([ -z "$FAILED_STEPS" ] && echo true || echo false)" "$((SECONDS - start))" "$SECONDS_EACH" "$runs" "$STEPS_JSON" >"$REPORTS/fuzz.json"
if [ -n "$FAILED_STEPS" ]; then
  echo "make fuzz failed:$FAILED_STEPS" >&2
  exit 1
fi
echo "make fuzz passed: ${#TARGETS[@]} targets, report in target/reports/fuzz.json"
