#!/usr/bin/env bash
# Everything for one visit to a machine with a GPU, which needs neither dotnet nor this repository.
#
#   bench/gpu.sh pack   where dotnet is: writes artifacts/gpu/s2-gpu.tar.xz, the tool with its own .NET for linux-x64
#   bench/gpu.sh run --device cuda:N|opencl:N|cpu [--quick] [--out DIR] [--steps "verify-bf16 attention peers"]
#                       where the GPU is: self-check, our times, the times of others (where python3 has them)
#
# The steps, in this order: machine devices verify-fp32 verify-fp16 verify-bf16 attention varied matmul train train-bf16
# decode decode-bf16 peers training-peers compare. Machines are often lent for minutes: a call ends before 5 minutes,
# with exit code 3 when steps are left, and the same call again goes on from there; deleting DIR/STEP.done repeats a
# step. "run" takes the tool from the folder that the script lies in (tar -xf s2-gpu.tar.xz, then s2-gpu/gpu.sh run), or
# else from the archive beside the script or in artifacts/gpu. Results go to DIR (default: s2-gpu-results), one text and
# one JSON file per step, and all of them to DIR.tar.xz. At the end the exit code is that of the self-checks; other
# steps may fail.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
readonly all_steps="machine devices verify-fp32 verify-fp16 verify-bf16 attention varied matmul train train-bf16
decode decode-bf16 peers training-peers compare"
readonly call_seconds=280 least_seconds=20 unfinished=3

fail() {
    echo "error: $1" >&2
    exit 2
}

pack() {
    local root="$here/.." target="$here/../artifacts/gpu"
    # Before ILGPU is restored a build of the tool fails late and says nothing of use.
    local assets="$root/src/S2ILGPU/obj/project.assets.json"
    command -v dotnet >/dev/null || fail "pack needs the .NET 10 SDK: https://dot.net/download"
    grep -qs '"ILGPU/' "$assets" || fail "ILGPU is not restored in this checkout: run 'dotnet restore' in it first"
    rm -rf "$target/s2-gpu" && mkdir -p "$target/s2-gpu"
    dotnet publish "$root/src/S2ILGPU.Cli" -c Release -r linux-x64 --self-contained -p:DebugType=none \
        -p:GenerateDocumentationFile=false -o "$target/s2-gpu/tool"
    cp "$here/gpu.sh" "$here/peers/"*.py "$target/s2-gpu/"
    tar -C "$target" -c s2-gpu | xz -T0 -6 > "$target/s2-gpu.tar.xz.tmp"
    mv "$target/s2-gpu.tar.xz.tmp" "$target/s2-gpu.tar.xz"
    ls -l "$target/s2-gpu.tar.xz"
}

# Prints the folder with tool/s2 and the scripts of the peers.
find_tool() {
    if [ -x "$here/tool/s2" ]; then
        echo "$here"
        return
    fi
    local archive
    for archive in "$here/s2-gpu.tar.xz" "$here/../artifacts/gpu/s2-gpu.tar.xz"; do
        if [ -f "$archive" ]; then
            local folder
            folder="$(mktemp -d)"
            tar -xJf "$archive" -C "$folder"
            echo "$folder/s2-gpu"
            return
        fi
    done
    fail "no tool beside $here; run 'bench/gpu.sh pack' where dotnet is"
}

# Runs a command, shows and keeps what it prints, and says how it ended: step NAME COMMAND...
# It is done when it ended by itself, however, or had a whole call for itself.
step() {
    local name="$1" code=0 began=$SECONDS left=$((call_seconds - SECONDS))
    shift
    echo "== $name: $*"
    timeout -k 5 "$left" "$@" 2>&1 | tee "$results/$name.txt" || code=$?
    echo "== $name: exit code $code after $((SECONDS - began)) s" | tee -a "$results/$name.txt"
    if [ "$code" -lt 124 ] || [ "$is_first" = yes ]; then
        echo "$code" > "$results/$name.done"
    fi
}

bench() {
    local name="$1"
    shift
    step "$name" "$tool" bench "$@" --device "$device" ${quick[@]+"${quick[@]}"} --out "$results/$name.json"
}

# Without --quick all kernels whose element types contain this one, which takes minutes.
verify() {
    local only="${1#verify-}"
    [ ${#quick[@]} -eq 0 ] || only="operation $only"
    step "$1" "$tool" verify --device "$device" --no-speed --only "$only" --out "$results/$1.json"
}

python_step() {
    local name="$1" script="$2" ours="$3"
    if [ ! -f "$results/$ours.json" ] || ! command -v python3 >/dev/null; then
        echo "== $name: left out, needs python3 and $results/$ours.json"
        return
    fi
    step "$name" python3 "$folder/$script" --shapes "$results/$ours.json" --device "${device%%:*}" \
        ${quick[@]+"${quick[@]}"} --minutes 3 --out "$results/$name.json"
}

compare() {
    if [ ! -f "$results/peers.json" ]; then
        echo "== compare: left out, needs $results/peers.json"
        return
    fi
    step compare "$tool" bench compare "$results/attention.json" "$results/peers.json"
    "$tool" bench compare "$results/attention.json" "$results/peers.json" --format markdown \
        > "$results/compare.md" || true
}

one() {
    local ours
    case "$1" in
        machine) if command -v nvidia-smi >/dev/null; then step machine nvidia-smi; fi ;;
        devices) step devices "$tool" devices ;;
        verify-fp32 | verify-fp16 | verify-bf16) verify "$1" ;;
        attention) bench attention attention ;;
        varied) bench varied attention --varied ;;
        matmul) bench matmul matmul ;;
        train | decode) bench "$1" "$1" ;;
        train-bf16 | decode-bf16) bench "$1" "${1%-bf16}" --precision bf16 ;;
        peers) python_step peers attention_peers.py attention ;;
        training-peers)
            ours=train-bf16
            [ -f "$results/$ours.json" ] || ours=train
            python_step training-peers training_peers.py "$ours" ;;
        compare) compare ;;
        *) fail "unknown step $1; there are: $all_steps" ;;
    esac
}

run() {
    local device="" quick=() results="s2-gpu-results" steps="$all_steps"
    while [ $# -gt 0 ]; do
        case "$1" in
            --device) device="${2:?--device needs a name}"; shift 2 ;;
            --out) results="${2:?--out needs a folder}"; shift 2 ;;
            --steps) steps="${2:?--steps needs names}"; shift 2 ;;
            --quick) quick=(--quick); shift ;;
            *) fail "unknown option $1" ;;
        esac
    done
    [ -n "$device" ] || fail "--device is missing: cuda:0, opencl:0 or cpu, as 's2 devices' lists them"
    [ "$device" != auto ] || fail "--device auto would measure the CPU where a driver is missing: name a device"
    local folder tool name is_first=yes code=0 step_code devices
    folder="$(find_tool)"
    tool="$folder/tool/s2"
    devices="$("$tool" devices --json)"
    [[ "$devices" == *"\"id\":\"$device\""* ]] || { "$tool" devices >&2; fail "no device $device here"; }
    mkdir -p "$results"
    for name in $steps; do
        if [ -f "$results/$name.done" ]; then
            echo "== $name: done before, exit code $(cat "$results/$name.done")"
        elif [ $((call_seconds - SECONDS)) -lt "$least_seconds" ]; then
            code=$unfinished
        else
            one "$name"
            [ -f "$results/$name.done" ] || [ ! -f "$results/$name.txt" ] || code=$unfinished
            # What takes no time does not take the whole call from the next step.
            [ "$SECONDS" -lt "$least_seconds" ] || is_first=no
        fi
    done
    tar -C "$(dirname "$results")" -c "$(basename "$results")" | xz -T0 -6 > "$results.tar.xz"
    if [ "$code" -eq "$unfinished" ]; then
        echo "steps are left: the same call again goes on; results so far in $results and $results.tar.xz"
        return "$code"
    fi
    for name in $steps; do
        step_code="$(cat "$results/$name.done" 2>/dev/null || echo 0)"
        [[ "$name" != verify-* ]] || [ "$step_code" -eq 0 ] || code="$step_code"
    done
    echo "results in $results and $results.tar.xz"
    return "$code"
}

case "${1:-}" in
    pack) pack ;;
    run) shift; run "$@" ;;
    *) sed -n '2,15s/^# \{0,1\}//p' "$here/gpu.sh"; exit 2 ;;
esac
