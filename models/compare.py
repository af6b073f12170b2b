#!/usr/bin/python3
"""Compares the training methods at equal width, data and steps, each at its own best learning rates.

Usage: models/compare.py SMOLTRAIN TEXT WORK_DIR [-o REPORT.md] [--jobs N] [--steps N]

Every run is one smoltrain process on one thread. A finished run is kept in WORK_DIR, so an interrupted
comparison goes on where it stopped. Learning rates are chosen on seed 1 by validation loss; then the
chosen pair is run with the other seeds. The report is a Markdown table of all of it.
"""
import argparse
import concurrent.futures
import json
import os
import statistics
import subprocess
import sys

SHAPE = ["--layers", "4", "--width", "128", "--heads", "4", "--context", "64", "--batch", "16"]
SEEDS = [1, 2, 3]

# method -> (fixed options, pairs of learning rate and learning rate of the alphas)
METHODS = {
    "embed": (["--method", "embed"], [(1e-2, None), (2e-2, None), (3e-2, None)]),
    "alpha-global": (["--method", "alpha-global", "--d", "5"],
                     [(2e-2, 3e-3), (2e-2, 1e-2), (2e-2, 3e-2), (3e-2, 1e-2)]),
    "alpha": (["--method", "alpha", "--d", "5"], [(1e-2, 3e-2), (2e-2, 1e-2), (2e-2, 3e-2)]),
    "lora": (["--method", "lora", "--rank", "4"], [(5e-3, None), (1e-2, None), (1.5e-2, None)]),
    "full": (["--method", "full"], [(2e-3, None), (4e-3, None)]),
}


def run_name(method, lr, alpha_lr, seed):
    return f"{method}-lr{lr:g}" + (f"-alr{alpha_lr:g}" if alpha_lr else "") + f"-s{seed}"


def run(args, method, lr, alpha_lr, seed):
    """Trains once, unless the log of a finished run is there. Returns its loss, bits per byte and numbers."""
    name = run_name(method, lr, alpha_lr, seed)
    log = os.path.join(args.work, name + ".jsonl")
    done = os.path.join(args.work, name + ".done")
    if not os.path.exists(done):
        out = os.path.join(args.work, name + (".safetensors" if method == "full" else ".smol"))
        command = [args.smoltrain, "--data", args.text, "--arch", "gpt2", *METHODS[method][0], *SHAPE, *args.extra,
                   "--steps", str(args.steps), "--lr", f"{lr:g}", "--seed", str(seed), "--threads", "1",
                   "--eval-every", "0", "--log", log, "-o", out]
        if alpha_lr:
            command += ["--alpha-lr", f"{alpha_lr:g}"]
        environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
        result = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
        if result.returncode != 0:
            raise RuntimeError(name + ": " + result.stderr.decode(errors="replace").strip())
        os.replace(log, done)
    with open(done) as f:
        records = [json.loads(line) for line in f]
    start = [r for r in records if r["event"] == "start"]
    final = [r for r in records if r["event"] == "validation" and r["stored"]]
    if not start or not final:
        raise RuntimeError(name + ": the log has no final validation")
    options = start[0]["options"]
    embeddings = (256 + options["context"]) * options["width"]
    print(f"{name}: {final[-1]['nats_per_token']:.4f}", file=sys.stderr, flush=True)
    return {"loss": final[-1]["nats_per_token"], "bits": final[-1]["bits_per_byte"],
            "numbers": start[0]["learned_numbers"] - embeddings}


def try_rates(args, pool, method):
    """A run of the first seed at each pair of learning rates."""
    pairs = METHODS[method][1]
    futures = [pool.submit(run, args, method, lr, alpha_lr, SEEDS[0]) for lr, alpha_lr in pairs]
    return pairs, futures


def table(args, rows):
    lines = [f"| method | non-embedding parameters | learning rate | of alphas | validation loss, mean of {len(SEEDS)} seeds "
             "| each seed | bits per byte | below `embed` |", "|---|---|---|---|---|---|---|---|"]
    embed = statistics.mean(rows["embed"]["losses"]) if "embed" in rows else None
    for method, row in rows.items():
        mean = statistics.mean(row["losses"])
        lines.append(f"| `{method}` | {row['numbers']:,} | {row['lr']:g} | {row['alpha_lr'] or '-'} | {mean:.4f} | "
                     + ", ".join(f"{x:.4f}" for x in row["losses"])
                     + f" | {row['bits']:.4f} | "
                     + (f"{embed - mean:+.4f}" if embed is not None else "-") + " |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("smoltrain")
    parser.add_argument("text")
    parser.add_argument("work")
    parser.add_argument("-o", "--output")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--extra", default="", help="further smoltrain options for every run")
    args = parser.parse_args()
    args.extra = args.extra.split()
    os.makedirs(args.work, exist_ok=True)
    methods = args.methods.split(",")
    rows, tried = {}, []
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        sweeps = {m: try_rates(args, pool, m) for m in methods}
        seeds = {}
        for m in methods:
            pairs, futures = sweeps[m]
            losses = [f.result()["loss"] for f in futures]
            tried.append((m, list(zip(pairs, losses))))
            best = pairs[losses.index(min(losses))]
            seeds[m] = (best, [pool.submit(run, args, m, *best, s) for s in SEEDS])
        for m in methods:
            (lr, alpha_lr), futures = seeds[m]
            finals = [f.result() for f in futures]
            rows[m] = {"lr": lr, "alpha_lr": alpha_lr, "losses": [f["loss"] for f in finals],
                       "bits": statistics.mean(f["bits"] for f in finals), "numbers": finals[0]["numbers"]}
    lines = table(args, rows) + ["", "Learning rates tried on seed 1 (rate / rate of alphas: validation loss):", ""]
    for m, results in tried:
        lines.append(f"- `{m}`: " + "; ".join(
            f"{lr:g}" + (f" / {alr:g}" if alr else "") + f": {loss:.4f}" for (lr, alr), loss in results))
    text = "\n".join(lines) + "\n"
    if args.output:
        with open(args.output + ".tmp", "w") as f:
            f.write(text)
        os.replace(args.output + ".tmp", args.output)
    print(text)


if __name__ == "__main__":
    main()
