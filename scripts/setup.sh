#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that Spikestill is built from, where they are missing and this is run as root; otherwise
# prints the command and exits 1. Usage: scripts/setup.sh [check]   (check: also what scripts/check.sh needs)
set -euo pipefail

# The one list of packages.
build_packages=(
  gcc libc6-dev cmake ninja-build pkg-config # compiler and build
  libdnnl-dev                                # convolutions, matrix products, pooling
  libyaml-dev libjansson-dev zlib1g-dev      # recipes, records, compressed data
  libcurl4-openssl-dev ca-certificates       # spikestill data get: transfer,
  libssl-dev libarchive-dev                  # checksum, unpacking
  libjpeg62-turbo-dev libpng-dev             # picture folders, contact sheets
  libhdf5-dev                                # writing NIR files
  libprotobuf-c-dev protobuf-c-compiler      # ONNX files: messages,
  libonnx-dev                                # and their schema
  libcmocka-dev python3                      # tests
)
check_packages=(
  clang libomp-dev libclang-rt-dev clang-tidy clang-format valgrind
  gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm # exported C on a Cortex-M,
  gcc-riscv64-linux-gnu libc6-dev-riscv64-cross qemu-user   # on RISC-V; the engine on 64-bit ARM,
  gcc-aarch64-linux-gnu libc6-dev-arm64-cross               # under qemu;
  make                                                      # by its Makefile
)

packages=("${build_packages[@]}")
if [[ ${1:-} == check ]]; then packages+=("${check_packages[@]}"); fi

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "scripts/setup.sh knows Debian only. Install what these Debian packages hold: ${packages[*]}" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  if [[ $status == *"install ok installed"* ]]; then continue; fi
  # Another package may stand for it (pkgconf for pkg-config).
  if [[ $package == pkg-config ]] && command -v pkg-config >/dev/null; then continue; fi
  missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then exit 0; fi

if [[ $(id -u) -ne 0 ]]; then
  echo "Packages are missing. Install them with:" >&2
  echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
  exit 1
fi
echo "Installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get -q -o Acquire::Retries=3 update </dev/null
apt-get -q -o Acquire::Retries=3 install -y --no-install-recommends "${missing[@]}" </dev/null
