#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that needs an NVIDIA card, in one sitting of less than ten minutes: the suites of the CUDA backend, a short
# training in each precision, twice each and once without recorded steps, the benchmarks. Writes one record,
# docs/verification/<date>_<card>.md, and prints where it is.
# Usage: scripts/gpu_check.sh              builds with CUDA (docs/gpu.md says what that needs) and checks
#        scripts/gpu_check.sh --pack DIR   only builds, and puts into DIR what a machine with nothing but the card needs
#        scripts/gpu_check.sh --packed DIR checks what is in DIR
# Exit status: 0 all is good, 1 something failed (the record says what), 2 usage, 77 there is no card.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=build/cuda
suites=(test_cuda_kernels test_cuda_precision test_cuda_training test_cuda_bench)
export SPIKESTILL_REQUIRE_CUDA=1 SPIKESTILL_SOURCE_DIR=$PWD CMOCKA_MESSAGE_OUTPUT=STDOUT
nvidia_libraries=/usr/local/cuda/lib64:/usr/local/cuda/lib:/usr/local/nvidia/lib64

fail() {
  echo "$1" >&2
  exit "${2:-1}"
}

# Without what a check on digits does not need: fewer libraries to bring along.
build_all() {
  cmake --preset cuda -DSPIKESTILL_DOWNLOAD=OFF -DSPIKESTILL_PICTURES=OFF -DSPIKESTILL_HDF5=OFF -DSPIKESTILL_ONNX=OFF \
    >"$1" 2>&1 && cmake --build "$build" --parallel "$(nproc)" \
    --target spikestill_program "${suites[@]/%/_card}" >>"$1" 2>&1
}

# The programs and those of their libraries that are neither the C library's nor NVIDIA's.
pack() {
  mkdir -p "$1/lib" || return 1
  local suite
  cp "$build/spikestill" "$1/" || return 1
  for suite in "${suites[@]}"; do cp "$build/tests/cuda/${suite}_card" "$1/" || return 1; done
  ldd "$1"/spikestill "$1"/test_* | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
    grep -v -e '/ld-linux' -e '/libc\.so' -e '/libm\.so' -e '/libcud' -e '/libcublas' -e '/libstdc++' -e '/libgcc_s' |
    xargs -I{} cp -L {} "$1/lib/"
  git rev-parse HEAD >"$1/commit"
  git diff --quiet HEAD || echo "with changes that are not committed" >>"$1/commit"
  if command -v strip >/dev/null; then strip --strip-unneeded "$1"/spikestill "$1"/test_* "$1"/lib/* 2>/dev/null; fi
  du -sh "$1"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case ${1:-} in
'') packed= ;;
--pack)
  [[ $# -eq 2 ]] || fail "usage: scripts/gpu_check.sh --pack DIR" 2
  build_all "$work/build.log" || { tail -n 30 "$work/build.log"; fail "the build failed"; }
  pack "$2"
  exit
  ;;
--packed)
  [[ $# -eq 2 && -x $2/spikestill ]] || fail "usage: scripts/gpu_check.sh --packed DIR, a folder that --pack has made" 2
  packed=$(cd "$2" && pwd)
  ;;
*) fail "usage: scripts/gpu_check.sh [--pack DIR | --packed DIR]" 2 ;;
esac

if ! command -v nvidia-smi >/dev/null || ! card=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1) ||
  [[ -z $card ]]; then
  fail "there is no NVIDIA card with a driver on this machine: nothing was checked" 77
fi
driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader | head -n 1)

if [[ -n $packed ]]; then
  bin=$packed tests=$packed
  commit=$(tr '\n' ' ' <"$packed/commit")
  export LD_LIBRARY_PATH=$packed/lib:$nvidia_libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
else
  build_all "$work/build.log" || { tail -n 30 "$work/build.log"; fail "the build failed"; }
  bin=$build tests=$build/tests/cuda
  commit=$(git rev-parse HEAD)$(git diff --quiet HEAD || echo ", with changes that are not committed")
  export LD_LIBRARY_PATH=$nvidia_libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi

date=$(date -u +%Y-%m-%d)
mkdir -p docs/verification
record=docs/verification/${date}_$(tr -c 'A-Za-z0-9\n' '_' <<<"$card" | tr -s _).md
failed=0
{
  echo "# $card, $date"
  echo
  echo "Written by \`scripts/gpu_check.sh\`."
  echo
  echo "| | |"
  echo "| --- | --- |"
  echo "| commit | $commit |"
  echo "| card | $card |"
  echo "| driver | $driver |"
  echo "| program | $("$bin/spikestill" version 2>&1 | tr '\n' ' ') |"
  echo
  echo "| check | result | seconds |"
  echo "| --- | --- | --- |"
} >"$record"

# Runs a command, keeps its output and writes its row; $1 says what is checked.
check() {
  local start=$SECONDS result=good
  "${@:3}" >"$work/$2.log" 2>&1 </dev/null || { result="**FAILED**"; failed=1; }
  echo "| $1 | $result | $((SECONDS - start)) |" >>"$record"
  echo "$1: $result"
}

train() {
  rm -rf "$work/$1"
  "$bin/spikestill" train "$work/check.yaml" --out "$work/$1" "${@:2}"
}
differ() { ! cmp "$work/$1/history.jsonl" "$work/$2/history.jsonl"; }
same() { cmp "$work/$1/history.jsonl" "$work/$2/history.jsonl" && cmp "$work/$1/checkpoint.safetensors" "$work/$2/checkpoint.safetensors"; }

cat >"$work/check.yaml" <<'RECIPE'
name: check
device: cuda
data: {name: digits, digits_train: 6000, digits_test: 1000, augment: {crop_padding: 2}}
student: {model: cnn, timesteps: 4}
train: {epochs: 3, batch: 64}
RECIPE

for suite in "${suites[@]}"; do
  check "suite \`$suite\`" "$suite" timeout 150 "$tests/${suite}_card"
done
check "a network trains" one timeout 60 bash -c "$(declare -f train); bin='$bin' work='$work'; train one"
check "it trains again" two timeout 60 bash -c "$(declare -f train); bin='$bin' work='$work'; train two"
check "two runs with the same seed give the same bits" same same one two
check "it trains without recorded steps" steps timeout 60 bash -c "$(declare -f train); bin='$bin' work='$work'; train steps --set speed.record=false"
check "recorded steps give the same bits" same_steps same one steps
for precision in bf16 tf32; do
  for run in one two; do
    check "a network trains in $precision, run $run" "${precision}_$run" timeout 60 bash -c \
      "$(declare -f train); bin='$bin' work='$work'; train ${precision}_$run --precision $precision"
  done
  check "two runs in $precision with the same seed give the same bits" "same_$precision" same "${precision}_one" "${precision}_two"
done
check "the run in bf16 is not that of f32" other_bf16 differ one bf16_one
check "benchmarks" bench timeout 240 "$bin/spikestill" bench --device cuda

for name in "${suites[@]}" one two same steps same_steps {bf16,tf32}_one same_{bf16,tf32} other_bf16 bench; do
  [[ -s $work/$name.log ]] || continue
  if [[ $name == two || $name == steps ]] && [[ $failed -eq 0 ]]; then continue; fi
  printf '\n## %s\n\n```\n' "$name"
  tail -n 80 "$work/$name.log"
  printf '```\n'
done >>"$record"
echo "the record is $record"
exit "$failed"
