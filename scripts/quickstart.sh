#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From nothing to the main job: installs what is missing, builds, trains a teacher, a plain and a distilled spiking
# student on drawn digits, and prints what came out. Arguments go to `spikestill quickstart`.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

"$root/scripts/setup.sh"
"$root/scripts/build.sh" release spikestill_program
exec "$root/build/release/spikestill" quickstart "$@"
