#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Trains the experiments of docs/results with several seeds each. What is complete is left alone, what was stopped goes
# on, so it may be interrupted and started again at any time. Needs the real data (SPIKESTILL_DATA) and hours.
# Usage: [PRECISION=bf16] scripts/experiments.sh mnist|fashion_mnist|cifar10 [SEEDS]
# (5, 5 and 3 seeds; results in runs/ and sweeps/; the precision is CIFAR-10's)
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-}
program=build/release/spikestill
[[ -x $program ]] || scripts/build.sh

# Trains a recipe once, for those that others start from or learn from.
train_once() {
  if [[ ! -f runs/$1/result.json ]]; then
    if [[ -d runs/$1 ]]; then "$program" train --resume --out "runs/$1"; else "$program" train "recipes/$1.yaml" --out "runs/$1"; fi
  fi
}

# Two runs at a time of one thread each: small networks gain more from that than from two threads.
sweep() {
  "$program" sweep "recipes/$1.yaml" --out "sweeps/$1" --seeds "$seeds" --jobs 2 --threads 1 "${@:2}"
}

case $what in
mnist | fashion_mnist)
  seeds=${2:-5}
  train_once "${what}_cnn_teacher"
  sweep "hetkd_${what}_front" --list recipes/hetkd_mnist_front.list
  ;;
cifar10)
  seeds=${2:-3}
  precision=(--precision "${PRECISION:-f32}")
  teacher=${SPIKESTILL_DATA:?is the folder with cifar10/ and teachers/}/teachers/cifar10-resnet/resnet20.onnx
  of_seed='_cifar10_vgg/runs/seed={seed}' # quantised networks go on from the full-precision one of the same seed
  for row in plain_cifar10_vgg tna_cifar10_vgg qcfs_cifar10_vgg plain_cifar10_resnet; do
    sweep "$row" "${precision[@]}"
  done
  for row in {kd,step_kd,lasnn,bkdsnn}_cifar10_vgg {kd,lasnn}_cifar10_resnet; do
    sweep "$row" --set "teacher=$teacher" "${precision[@]}"
  done
  sweep naive_cifar10_vgg_ternary --set "student.start=sweeps/plain$of_seed" "${precision[@]}"
  sweep tna_cifar10_vgg_ternary --set "student.start=sweeps/tna$of_seed" "${precision[@]}"
  for bits in 4bit 2bit; do
    start=(--set "student.start=sweeps/lasnn$of_seed")
    sweep "naive_cifar10_vgg_$bits" "${start[@]}" "${precision[@]}"
    sweep "md_snn_cifar10_vgg_$bits" "${start[@]}" --set "teacher=sweeps/lasnn$of_seed" "${precision[@]}"
  done
  for run in sweeps/qcfs_cifar10_vgg/runs/*; do
    "$program" convert "$run" --method qcfs --timesteps 1,2,3,4,6,8,16,32,64 --out "sweeps/qcfs_converted/$(basename "$run")" --overwrite
  done
  "$program" convert "$teacher" --data cifar10 --normalize imagenet --method data_normalization --samples 200 \
    --initial-membrane 0.5 --timesteps 12,16,18,20,22,24,28,32 --set data.test_limit=2000 --out sweeps/resnet20_converted --overwrite
  ;;
*)
  echo "usage: scripts/experiments.sh mnist|fashion_mnist|cifar10 [SEEDS]" >&2
  exit 2
  ;;
esac
