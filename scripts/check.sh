#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The long tier: both compilers, the sanitizers, valgrind, clang-tidy, planted bugs, many random cases, fuzzing.
# Usage: scripts/check.sh [step...]
# Steps: gcc clang asan-ubsan tsan valgrind tidy mutations cases fuzz; all of them without an argument. Takes hours, most of
# them for fuzzing: SPIKESTILL_FUZZ_SECONDS for each reader, 600 by default.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/setup.sh check || exit 1
steps=("$@")
if [[ ${#steps[@]} -eq 0 ]]; then steps=(gcc clang asan-ubsan tsan valgrind tidy mutations cases fuzz); fi

# The thread sanitizer of gcc 12 cannot live with the address layout of newer kernels.
without_randomisation() { setarch "$(uname -m)" --addr-no-randomize "$@"; }

# The suites that are quick enough to run fifty times slower.
run_valgrind() {
  scripts/build.sh debug || return 1
  local suite failed=0
  for suite in build/debug/tests/unit/test_* build/debug/tests/fault/test_*; do
    if [[ ! -x $suite ]]; then continue; fi
    echo "valgrind $suite"
    # Threads of the OpenMP runtime live until the end and count as possibly lost.
    OMP_NUM_THREADS=2 timeout 1800 valgrind --quiet --error-exitcode=9 --leak-check=full \
      --errors-for-leak-kinds=definite --show-leak-kinds=definite "$suite" >"build/valgrind.log" 2>&1 </dev/null ||
      { cat build/valgrind.log; failed=1; }
  done
  return $failed
}

run_tidy() {
  scripts/build.sh clang || return 1
  local sources
  mapfile -t sources < <(git ls-files 'src/*.c' 'programs/*.c')
  printf '%s\n' "${sources[@]}" | grep -v -e parallel_pthread -e download_absent |
    xargs -P "$(nproc)" -n 4 clang-tidy -p build/clang --quiet --warnings-as-errors='*' 2>/dev/null
}

# Every reader for a while, beginning with its corpus; what is found lies in build/fuzz/found/. New inputs stay there too.
run_fuzz() {
  scripts/build.sh fuzz || return 1
  local seconds=${SPIKESTILL_FUZZ_SECONDS:-600} target name
  mkdir -p build/fuzz/found
  for target in build/fuzz/tests/fuzz/fuzz_*; do
    name=$(basename "$target")
    mkdir -p "build/fuzz/$name"
    echo "$name"
  done | xargs -P "$(nproc)" -I{} sh -c 'build/fuzz/tests/fuzz/$1 -max_total_time="$2" -timeout=20 -rss_limit_mb=2048 \
    -artifact_prefix="build/fuzz/found/$1-" -print_final_stats=1 "build/fuzz/$1" "tests/fuzz/corpus_${1#fuzz_}" \
    >"build/fuzz/$1.log" 2>&1 && tail -n 6 "build/fuzz/$1.log" | head -n 1 | sed "s/^/$1 /" ||
    { tail -n 30 "build/fuzz/$1.log"; echo "$1: FAILED"; exit 255; }' sh {} "$seconds"
}

run_step() {
  case $1 in
  gcc) scripts/test.sh release ;;
  clang | asan-ubsan) scripts/test.sh "$1" ;;
  tsan) without_randomisation scripts/test.sh tsan --label-regex 'unit|property' ;;
  valgrind) run_valgrind ;;
  tidy) run_tidy ;;
  mutations)
    scripts/build.sh release && ctest --test-dir build/release --label-regex long --output-on-failure </dev/null
    ;;
  cases)
    scripts/build.sh release && SPIKESTILL_LOWER_CASES=10000 build/release/tests/property/test_lower_properties
    ;;
  fuzz) run_fuzz ;;
  *)
    echo "there is no step \"$1\"" >&2
    return 2
    ;;
  esac
}

failed=()
for step in "${steps[@]}"; do
  echo "== $step"
  if run_step "$step"; then echo "== $step: good"; else
    echo "== $step: FAILED"
    failed+=("$step")
  fi
done
if [[ ${#failed[@]} -gt 0 ]]; then
  echo "failed: ${failed[*]}"
  exit 1
fi
echo "all steps are good"
