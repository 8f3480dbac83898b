#!/usr/bin/env python3
"""Two programs of the yardstick in turn (A B A B ..), workload by workload, and how they compare.

    python3 compare.py --ours 'cargo bench -q --bench yardstick -- --stdin' --peer 'venv/bin/python with_torch.py --stdin'

Each reads the name of a workload a line and answers with a JSON line that has "us", the median microseconds of a call, or "error". The ratio
is the peer's time over ours, so that above 1 ours is faster; of the rounds the median is kept. With --memory each workload runs in processes
of its own, and what is compared is the most memory that they had (VmHWM of Linux). --json keeps the run, for tables.py.
"""
import argparse, datetime, json, math, platform, shlex, statistics, subprocess, time

options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
options.add_argument("--ours", required=True)
options.add_argument("--peer", required=True)
options.add_argument("--filter", default="", help="only workloads whose name has one of these in it, separated by commas")
options.add_argument("--rounds", type=int, default=7)
options.add_argument("--pause", type=float, default=0.3, help="seconds between the programs, for idle threads to go to sleep")
options.add_argument("--memory", action="store_true")
options.add_argument("--json", default="", help="the file to keep the run in")
options.add_argument("--about", default="", help="what to keep with it: versions, the processor")


class Program:
    def __init__(self, command):
        self.command = command
        self.start()

    def start(self):
        self.process = subprocess.Popen(shlex.split(self.command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, workload):
        """The microseconds of a call, or nothing. A program that a workload has ended is started again for the next."""
        if self.process.poll() is not None:
            self.start()
        self.process.stdin.write(workload + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.lstrip().startswith("{"):
                return json.loads(line).get("us")

    def peak(self):
        """The most memory that it had, in megabytes."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) / 1000 for line in status if line.startswith("VmHWM"))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def names(command):
    listed = subprocess.run(shlex.split(command.replace("--stdin", "--list")), capture_output=True, text=True).stdout.split()
    return [name for name in listed if any(part in name for part in options.filter.split(","))]


def peak(command, workload):
    program = Program(command)
    found = program.ask(workload) and program.peak()
    program.close()
    return found


def times(programs, workload):
    pair = []
    for program in programs:
        time.sleep(options.pause)
        pair.append(program.ask(workload))
    return pair


def geometric_mean(ratios, cap):
    return math.exp(sum(math.log(min(ratio, cap)) for ratio in ratios) / len(ratios))


def processor():
    with open("/proc/cpuinfo") as about:
        return next((line.split(":")[1].strip() for line in about if line.startswith("model name")), platform.machine())


options = options.parse_args()
commands, unit = (options.ours, options.peer), "MB" if options.memory else "us"
programs = [] if options.memory else [Program(command) for command in commands]
known = set(names(options.peer))
both = [name for name in names(options.ours) if name in known]
rows = {}
for name in both:
    rounds = [[peak(command, name) for command in commands]] if options.memory else [times(programs, name) for _ in range(options.rounds)]
    rounds = [pair for pair in rounds if all(pair)]
    if not rounds:
        print(f"{name:44} not measured", flush=True)
        continue
    ours, theirs = (statistics.median(side) for side in zip(*rounds))
    rows[name] = dict(ours=ours, peer=theirs, ratio=statistics.median(peer / own for own, peer in rounds))
    print(f"{name:44} ours {ours:12.1f} {unit}   peer {theirs:12.1f} {unit}   ratio {rows[name]['ratio']:6.2f}", flush=True)
for program in programs:
    program.close()
if rows:
    ratios = [row["ratio"] for row in rows.values()]
    means = ", ".join(f"{geometric_mean(ratios, cap):.2f} (each capped at {cap})" for cap in (2, 3))
    print(f"{len(rows)} workloads, {sum(ratio >= 1 for ratio in ratios)} level or ahead; geometric mean {means}; lowest {min(ratios):.2f}")
if options.json:
    about = dict(date=str(datetime.date.today()), processor=processor(), rounds=options.rounds, unit=unit, about=options.about)
    with open(options.json, "w") as file:
        json.dump(dict(**about, rows=rows), file, indent=1)
        file.write("\n")
