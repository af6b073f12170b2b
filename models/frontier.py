#!/usr/bin/python3
"""Trains models of architecture smol from two kilobytes up, and those that leave one of its changes out.

Usage: models/frontier.py SMOLTRAIN TEXT WORK_DIR [-o REPORT.md] [--only WORD] [--seeds N] [--steps N] [--jobs N]

Every run is one smoltrain process on one thread, with the default recipe. A finished run is kept in WORK_DIR, so an
interrupted series goes on where it stopped. The report has two Markdown tables, of what is finished.
"""
import argparse
import concurrent.futures
import json
import os
import statistics
import subprocess
import sys

Q4 = ["--embedding-type", "q4"]


def shape(layers, width, *more):
    return ["--layers", str(layers), "--width", str(width), *more]


FRONTIER = {
    "masks, 2 x 16": shape(2, 16),
    "masks, 1 x 24": shape(1, 24),
    "masks, 2 x 64": shape(2, 64, *Q4),
    "frozen, 1 x 256": shape(1, 256, "--method", "embed"),
    "frozen, 1 x 256, embeddings of 4 bits": shape(1, 256, "--method", "embed", *Q4),
    "frozen, 1 x 256, embeddings of 4 bits, gains": shape(1, 256, "--method", "embed", "--gains", *Q4),
    "ternary, 2 x 64": shape(2, 64, "--method", "ternary", *Q4),
    "masks, 2 x 96": shape(2, 96),
    "ternary, 2 x 96": shape(2, 96, "--method", "ternary", *Q4),
    "4 bits, 2 x 64": shape(2, 64, "--method", "full", "--matrix-type", "q4", *Q4),
    "masks, 2 x 128": shape(2, 128),
    "masks, 2 x 128, embeddings of 4 bits": shape(2, 128, *Q4),
    "ternary, 2 x 128": shape(2, 128, "--method", "ternary"),
    "8 bits, 2 x 64": shape(2, 64, "--method", "full", "--matrix-type", "q8", *Q4),
}
FROZEN = shape(1, 256, "--method", "embed")
WITHOUT = {
    "all": FROZEN,
    **{f"without {w}": [*FROZEN, "--without", w] for w in ("temperatures", "half-shift", "relu2", "output-table", "distances,slope-factors")},
    "without a learned logit scale": [*FROZEN, "--no-learn-logit-scale"],
    "without slope-factors: five numbers, four temperatures and the logit scale": [*FROZEN, "--without", "slope-factors"],
    "no number": [*FROZEN, "--without", "slope-factors,temperatures", "--no-learn-logit-scale"],
    "GPT-2's block, no number": ["--arch", "gpt2", "--method", "embed", *shape(1, 256, "--context", "128", "--batch", "8", "--vocab", "used+other")],
    "GPT-2's block, five alphas": ["--arch", "gpt2", "--method", "alpha-global", "--d", "5",
                                   *shape(1, 256, "--context", "128", "--batch", "8", "--vocab", "used+other")],
}


def run(args, name, options, seed):
    """Trains once, unless the log of a finished run is there; what it says at the end."""
    stem = os.path.join(args.work, "".join(c if c.isalnum() else "-" for c in name) + f"-s{seed}")
    if not os.path.exists(stem + ".done"):
        command = [args.smoltrain, "--data", args.text, *options, "--steps", str(args.steps), "--seed", str(seed), "--threads", "1", "--eval-every", "0",
                   "--no-card", "--log", stem + ".jsonl", "-o", stem + ".smol"]
        if os.path.exists(stem + ".ckpt"):
            command.append("--resume")
        environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
        result = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
        if result.returncode != 0:
            raise RuntimeError(f"{name}: " + result.stderr.decode(errors="replace").strip().splitlines()[-1])
        os.replace(stem + ".jsonl", stem + ".done")
    with open(stem + ".done", encoding="utf-8") as f:
        records = [json.loads(line) for line in f]
    model, = [r for r in records if r["event"] == "model"]
    score = [r for r in records if r["event"] == "validation" and r["stored"]][-1]
    print(f"{name}, seed {seed}: {score['nats_per_token']:.4f}", file=sys.stderr, flush=True)
    return {**model, "loss": score["nats_per_token"], "streamed": model.get("streamed_nats_per_token")}


def row(name, options, runs):
    losses, streamed = [r["loss"] for r in runs], [r["streamed"] for r in runs]
    stream = f"{statistics.mean(streamed):.4f}" if None not in streamed else "-"
    return (f"| {runs[0]['bytes']:,} | {runs[0]['non_embedding_params']:,} | **{statistics.mean(losses):.4f}** | " + ", ".join(f"{x:.4f}" for x in losses)
            + f" | {stream} | {name} | `{' '.join(options)}` |")


def table(rows):
    return ["| file, bytes | numbers besides the embeddings | windows, mean | each seed | in one stream | what | options |", "|---|---|---|---|---|---|---|", *rows, ""]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("smoltrain")
    parser.add_argument("text")
    parser.add_argument("work")
    parser.add_argument("-o", "--output")
    parser.add_argument("--only", default="", help="runs with this word in their names")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    lines = []
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        parts = [{name: (options, [pool.submit(run, args, name, options, seed) for seed in range(1, args.seeds + 1)])
                  for name, options in part.items() if args.only in name} for part in (FRONTIER, WITHOUT)]
        for part in parts:
            rows = {name: (options, [f.result() for f in futures]) for name, (options, futures) in part.items()}
            ordered = sorted(rows.items(), key=lambda item: item[1][1][0]["bytes"]) if part is parts[0] else rows.items()
            lines += table([row(name, *found) for name, found in ordered]) if rows else []
    text = "\n".join(lines)
    if args.output:
        with open(args.output + ".tmp", "w", encoding="utf-8") as f:
            f.write(text)
        os.replace(args.output + ".tmp", args.output)
    print(text)


if __name__ == "__main__":
    main()
