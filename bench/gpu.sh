#!/usr/bin/env bash
# Everything for one session on a machine with a GPU, which needs neither dotnet nor this repository.
#
#   bench/gpu.sh pack   where dotnet is: writes artifacts/gpu/s2-gpu.tar.xz, the tool with its own .NET for linux-x64
#   bench/gpu.sh run [--device auto|cuda:N|opencl:N|cpu] [--quick] [--out DIR]
#                    [--steps "verify attention peers compare"] [--seconds 1200]
#                       where the GPU is: self-check, our times, the times of PyTorch (where python3 has it), and the
#                       table of both
#
# --steps takes some of them, for machines that are lent for minutes: later steps find the files of earlier ones in DIR.
# --seconds ends a step that hangs. "run" takes the tool from the folder that the script lies in (tar -xf
# s2-gpu.tar.xz, then s2-gpu/gpu.sh run), or else from the archive beside the script or in artifacts/gpu. Results go to
# DIR (default: s2-gpu-results): one text and one JSON file per step. The exit code is that of the self-check; other
# steps may fail.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"

pack() {
    local root="$here/.." target="$here/../artifacts/gpu"
    rm -rf "$target/s2-gpu" && mkdir -p "$target/s2-gpu"
    dotnet publish "$root/src/S2ILGPU.Cli" -c Release -r linux-x64 --self-contained -p:DebugType=none \
        -p:GenerateDocumentationFile=false -o "$target/s2-gpu/tool"
    cp "$here/gpu.sh" "$here/peers/attention_peers.py" "$target/s2-gpu/"
    tar -C "$target" -c s2-gpu | xz -T0 -6 > "$target/s2-gpu.tar.xz.tmp"
    mv "$target/s2-gpu.tar.xz.tmp" "$target/s2-gpu.tar.xz"
    ls -l "$target/s2-gpu.tar.xz"
}

# Prints the folder with tool/s2 and attention_peers.py.
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
    echo "error: no tool beside $here; run 'bench/gpu.sh pack' where dotnet is" >&2
    return 2
}

# Runs a command, shows and keeps what it prints, and says how it ended: step NAME COMMAND...
step() {
    local name="$1" code=0 began=$SECONDS
    shift
    echo "== $name: $*"
    timeout -k 10 "$seconds" "$@" 2>&1 | tee "$results/$name.txt" || code=$?
    echo "== $name: exit code $code after $((SECONDS - began)) s" | tee -a "$results/$name.txt"
    return "$code"
}

run() {
    local device=auto quick=() results="s2-gpu-results" steps="verify attention peers compare" seconds=1200
    while [ $# -gt 0 ]; do
        case "$1" in
            --device) device="${2:?--device needs a name}"; shift 2 ;;
            --out) results="${2:?--out needs a folder}"; shift 2 ;;
            --steps) steps="${2:?--steps needs names}"; shift 2 ;;
            --seconds) seconds="${2:?--seconds needs a number}"; shift 2 ;;
            --quick) quick=(--quick); shift ;;
            *) echo "error: unknown option $1" >&2; return 2 ;;
        esac
    done
    local folder tool code=0 name
    folder="$(find_tool)"
    tool="$folder/tool/s2"
    mkdir -p "$results"
    if command -v nvidia-smi >/dev/null; then
        step machine nvidia-smi || true
    fi
    step devices "$tool" devices || true
    for name in $steps; do
        case "$name" in
            verify) step verify "$tool" verify --device "$device" --out "$results/verify.json" || code=$? ;;
            attention)
                step attention "$tool" bench attention --device "$device" ${quick[@]+"${quick[@]}"} \
                    --out "$results/attention.json" || true ;;
            peers) peers || true ;;
            compare) compare || true ;;
            *) echo "error: unknown step $name" >&2; return 2 ;;
        esac
    done
    echo "results in $results"
    return "$code"
}

peers() {
    if [ ! -f "$results/attention.json" ] || ! command -v python3 >/dev/null; then
        echo "== peers: left out, needs python3 and $results/attention.json"
        return
    fi
    step peers python3 "$folder/attention_peers.py" --shapes "$results/attention.json" ${quick[@]+"${quick[@]}"} \
        --out "$results/peers.json"
}

compare() {
    if [ ! -f "$results/peers.json" ]; then
        echo "== compare: left out, needs $results/peers.json"
        return
    fi
    step compare "$tool" bench compare "$results/attention.json" "$results/peers.json"
    "$tool" bench compare "$results/attention.json" "$results/peers.json" --format markdown > "$results/compare.md"
}

case "${1:-}" in
    pack) pack ;;
    run) shift; run "$@" ;;
    *) sed -n '2,12s/^# \{0,1\}//p' "$here/gpu.sh"; exit 2 ;;
esac
