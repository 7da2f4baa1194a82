#!/usr/bin/env python3
"""What the program costs: its size, its start, `up` with nothing to do over 1,000 files, `status` over 50,000.

    cargo build --release -p ductape --no-default-features --features cli,sqlite
    python3 benches/program/measure.py target/release/ductape [FILES [HISTORY]]

The database files lie in target, or where DUCTAPE_BENCH_DIR says. The parts of a round run one after the
other, so that what else the machine does hits all alike; a figure is a median, a ratio that of a round.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 21


def run(*command):
    """Runs a command; gives its milliseconds and the most memory it held, in MB: Linux never says less here
    than this script itself held when it began the command, some 15 MB."""
    started = time.perf_counter()
    words = [str(word) for word in command]
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(words, stdout=nowhere, stderr=nowhere)
    _, status, usage = os.wait4(process.pid, 0)
    milliseconds = (time.perf_counter() - started) * 1000
    if status != 0:
        sys.exit(f"this failed: {' '.join(words)}")
    return milliseconds, usage.ru_maxrss / 1000


def operation(place):
    """A table, a field of it, an index over that field, and so on; in a long history few tables."""
    table = f"t{place // 3}"
    if place % 3 == 0:
        return f'{{"type":"createCollection","name":"{table}","fields":[{{"name":"id","type":"integer","primaryKey":true}},{{"name":"email","type":"string","length":255,"required":true}},{{"name":"title","type":"string","length":100}},{{"name":"amount","type":"decimal","precision":10,"scale":2}},{{"name":"active","type":"boolean","required":true,"default":true}},{{"name":"created","type":"timestamp"}}],"indexes":[{{"name":"idx_{table}_email","fields":["email"]}},{{"name":"idx_{table}_created","fields":["created","active"]}}]}}'
    if place % 3 == 1:
        return f'{{"type":"addField","collection":"{table}","field":{{"name":"phone","type":"string","length":20}}}}'
    return f'{{"type":"createIndex","collection":"{table}","index":{{"name":"idx_{table}_phone","fields":["phone"]}}}}'


def long_operation(place):
    if place == 0:
        return operation(0)
    if place % 2 == 1:
        return '{"type":"createIndex","collection":"t0","index":{"name":"idx_t0_title","fields":["title"]}}'
    return '{"type":"dropIndex","collection":"t0","index":"idx_t0_title"}'


def write(folder, count, operation):
    folder.mkdir()
    for place in range(count):
        day, second = divmod(place, 86400)
        clock = f"{second // 3600:02}{second // 60 % 60:02}{second % 60:02}"
        tag = f"202401{day + 1:02}_{clock}_change_{place}"
        text = f'{{"format":1,"tag":"{tag}","up":[{operation(place)}]}}'
        (folder / f"{tag}.json").write_text(text)


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    files = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    history = int(sys.argv[3]) if len(sys.argv) > 3 else 50_000
    target = pathlib.Path(__file__).resolve().parents[2] / "target"
    parent = os.environ.get("DUCTAPE_BENCH_DIR", target)
    print(f"size: {program.stat().st_size / 1e6:.1f} MB")
    with tempfile.TemporaryDirectory(dir=parent) as scratch:
        scratch = pathlib.Path(scratch)
        folder, none = scratch / "files", scratch / "none"
        write(folder, files, operation)
        none.mkdir()
        url = f"sqlite://{scratch / 'app.db'}"
        print(f"up, {files} pending: {run(program, 'up', '--url', url, '--migrations', folder)[0]:.0f} ms")
        rounds = []
        for _ in range(ROUNDS):
            start, memory = run(program, "--version")
            connect, _ = run(program, "up", "--url", url, "--migrations", none)
            read, _ = run(program, "validate", "--migrations", folder)
            nothing, _ = run(program, "up", "--url", url, "--migrations", folder)
            rounds.append((start, connect, read, nothing, memory))
        start, connect, read, nothing, memory = (
            statistics.median(part) for part in zip(*rounds)
        )
        ratio = statistics.median(n / (c + r - s) for s, c, r, n, _ in rounds)
        print(f"--version: {start:.1f} ms, {memory:.1f} MB")
        print(f"up, no files: {connect:.1f} ms; validate, {files} files: {read:.1f} ms")
        print(f"up, {files} files, nothing to do: {nothing:.1f} ms,")
        print(f"  {ratio:.2f} of an empty start, connecting, and reading and checking the files")

        folder = scratch / "long"
        write(folder, history, long_operation)
        url = f"sqlite://{scratch / 'long.db'}"
        made, _ = run(program, "up", "--url", url, "--migrations", folder)
        print(f"up, {history} pending: {made:.0f} ms")
        times, memories = zip(*(run(program, "status", "--url", url, "--migrations", folder) for _ in range(3)))
        print(f"status, {history} applied: {statistics.median(times):.0f} ms, {max(memories):.1f} MB")


if __name__ == "__main__":
    main()
