# SPDX-License-Identifier: Apache-2.0
# bash completion for spikestill, made by 'spikestill completion bash'.
_spikestill() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} options= words=
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "train sweep eval convert quantize inspect energy report import export data quickstart bench recipe version completion help" -- "$word"))
    return
  fi
  case $before in
    --out) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --set) COMPREPLY=(); return ;;
    --vary) COMPREPLY=(); return ;;
    --list) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --seeds) COMPREPLY=(); return ;;
    --jobs) COMPREPLY=(); return ;;
    --method) COMPREPLY=($(compgen -W "threshold_balancing data_normalization qcfs" -- "$word")); return ;;
    --timesteps) COMPREPLY=(); return ;;
    --percentile) COMPREPLY=(); return ;;
    --samples) COMPREPLY=(); return ;;
    --initial-membrane) COMPREPLY=(); return ;;
    --calibration-steps) COMPREPLY=(); return ;;
    --compare) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --level) COMPREPLY=($(compgen -W "plain neon avx2 avx512" -- "$word")); return ;;
    --weight-bits) COMPREPLY=(); return ;;
    --membrane-bits) COMPREPLY=(); return ;;
    --norm-bits) COMPREPLY=(); return ;;
    --input-bits) COMPREPLY=(); return ;;
    --simulation) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --seed) COMPREPLY=(); return ;;
    --device) COMPREPLY=($(compgen -W "cpu cpu-ref cuda" -- "$word")); return ;;
    --precision) COMPREPLY=($(compgen -W "f32 bf16 tf32" -- "$word")); return ;;
    --data) COMPREPLY=(); return ;;
    --normalize) COMPREPLY=(); return ;;
    --part) COMPREPLY=($(compgen -W "train validation test" -- "$word")); return ;;
    --at-least) COMPREPLY=(); return ;;
    --batch) COMPREPLY=(); return ;;
    --recipe) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --map) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --to) COMPREPLY=($(compgen -W "nir safetensors c" -- "$word")); return ;;
    --name) COMPREPLY=(); return ;;
    --layout) COMPREPLY=($(compgen -W "torch spikestill" -- "$word")); return ;;
    --target) COMPREPLY=($(compgen -W "generic snntorch spikingjelly norse sinabs spyx rockpool" -- "$word")); return ;;
    --dt) COMPREPLY=(); return ;;
    --reset) COMPREPLY=($(compgen -W "hard soft" -- "$word")); return ;;
    --root) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --count) COMPREPLY=(); return ;;
    --index) COMPREPLY=(); return ;;
    --url) COMPREPLY=(); return ;;
    --repetitions) COMPREPLY=(); return ;;
    --only) COMPREPLY=(); return ;;
    --model) COMPREPLY=(); return ;;
    --shapes) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --against) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --technology) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --tensorboard) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --threads) COMPREPLY=(); return ;;
  esac
  case ${COMP_WORDS[1]} in
    train) options="--help --out --set --resume --overwrite --seed --device --precision --at-least --threads --json --quiet" ;;
    sweep) options="--help --out --set --vary --list --seeds --jobs --seed --device --precision --threads --json --quiet" ;;
    eval) options="--help --set --timesteps --samples --compare --level --seed --device --precision --data --normalize --part --at-least --target --dt --reset --threads --json" ;;
    convert) options="--help --out --set --method --timesteps --percentile --samples --initial-membrane --calibration-steps --overwrite --device --data --normalize --threads --json --quiet" ;;
    quantize) options="--help --out --set --samples --weight-bits --membrane-bits --norm-bits --input-bits --approximate --simulation --overwrite --seed --device --data --threads --json --quiet" ;;
    inspect) options="--help --set --timesteps --device --precision --batch --target --dt --reset --threads --json" ;;
    energy) options="--help --set --samples --device --data --part --model --shapes --against --technology --print-technology --csv --threads --json" ;;
    report) options="--help --out --open --tensorboard --quiet" ;;
    import) options="--help --out --set --overwrite --seed --device --recipe --map --print-map --threads --json" ;;
    export) options="--help --out --set --overwrite --device --data --map --to --name --layout --target --dt --root --count --threads --json" ;;
    data) options="--help --out --set --part --root --count --index --url --threads --json" words="info show get" ;;
    quickstart) options="--help --out --set --resume --seed --device --precision --threads --json --quiet" ;;
    bench) options="--help --set --device --precision --root --repetitions --only --ops --calibrate --threads --json" words="train data deploy" ;;
    recipe) options="--help --set" ;;
    version) options="--help --json" ;;
    completion) options="--help" words="bash zsh fish" ;;
    help) options="--help" ;;
  esac
  if [ "${COMP_WORDS[1]}" = data ] && [ "$COMP_CWORD" -gt 2 ]; then words="digits mnist fashion-mnist cifar10 cifar100 folder tiny-imagenet moving-digits nmnist ncaltech101 cifar10-dvs dvs128-gesture shd ssc"; fi
  if [ "${COMP_WORDS[1]}" = help ]; then words="train sweep eval convert quantize inspect energy report import export data quickstart bench recipe version completion help"; fi
  case $word in
    -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
    *) if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$word"))
       else COMPREPLY=($(compgen -f -- "$word")); fi ;;
  esac
}
complete -o filenames -F _spikestill spikestill
