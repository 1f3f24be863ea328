#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Trains the experiments of docs/results with several seeds each. What is complete is left alone, what was stopped goes
# on, so it may be interrupted and started again at any time. Needs the real data (SPIKESTILL_DATA) and hours.
# Usage: scripts/experiments.sh mnist|cifar10 [SEEDS]   (default 5 and 3 seeds; results in runs/ and sweeps/)
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
mnist)
  seeds=${2:-5}
  train_once mnist_cnn_teacher
  sweep hetkd_mnist_front --list recipes/hetkd_mnist_front.list
  ;;
cifar10)
  seeds=${2:-3}
  teacher=${SPIKESTILL_DATA:?is the folder with cifar10/ and teachers/}/teachers/cifar10-resnet/resnet20.onnx
  train_once plain_cifar10_vgg
  for recipe in plain naive_ternary tna tna_ternary naive_4bit md_snn_4bit naive_2bit md_snn_2bit qcfs relu; do
    name=${recipe%%_ternary} name=${name%%_[24]bit} # plain_cifar10_vgg, md_snn_cifar10_vgg_4bit
    sweep "${name}_cifar10_vgg${recipe#"$name"}"
  done
  for recipe in kd step_kd lasnn bkdsnn; do sweep "${recipe}_cifar10_vgg" --set "teacher=$teacher"; done
  for run in sweeps/qcfs_cifar10_vgg/runs/*; do
    "$program" convert "$run" --method qcfs --timesteps 1,2,4,8,16,32,64 --out "sweeps/qcfs_converted/$(basename "$run")" --overwrite
  done
  for run in sweeps/relu_cifar10_vgg/runs/*; do
    "$program" convert "$run" --timesteps 1,2,4,8,16,32,64,128 --set data.test_limit=2000 \
      --out "sweeps/relu_converted/$(basename "$run")" --overwrite
  done
  ;;
*)
  echo "usage: scripts/experiments.sh mnist|cifar10 [SEEDS]" >&2
  exit 2
  ;;
esac
