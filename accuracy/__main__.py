"""``python -m accuracy``: many generated estates, clean and with every fault, counted against their truth.

In each of them incidents are played, and the evidence about them is counted against what is true of them.

Exit code 1 where something is called proved or violated that is not, an exact link is wrong, a planted fault is missed,
or a clean estate has a finding.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from accuracy.counted import Counted
from accuracy.counting import Counts, Score, count
from accuracy.estate import played


def main() -> int:
    """Play the estates and print the tables."""
    options = _options()
    clean, faulty, responded = Counts(), Counts(), Counted()
    for seed in range(options.first, options.first + options.seeds):
        for faults, counts in (((), clean), (("all",), faulty)):
            with tempfile.TemporaryDirectory(prefix="custody-accuracy-") as folder:
                truth, told = played(Path(folder), seed, options.hours, options.workloads, faults, responded)
                count(truth, told, counts)
            print(f"seed {seed} {'with faults' if faults else 'clean'}: {told.report.records:,} records", flush=True)
    print(f"\nCLEAN ESTATES  {clean.estates} of {clean.records:,} records")
    _show(clean)
    print(f"\nESTATES WITH FAULTS  {faulty.estates} of {faulty.records:,} records")
    _show(faulty)
    print(f"\nINCIDENTS  {responded.incidents} planted in all of them")
    _questions(responded.questions)
    _lines("wrong", responded.wrong)
    bad = clean.wrong + clean.noise + clean.missed + faulty.wrong + faulty.missed + responded.wrong
    return 1 if bad else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="how many estates of each kind")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--hours", type=int, default=6)
    parser.add_argument("--workloads", type=int, default=20)
    return parser.parse_args()


def _show(counts: Counts) -> None:
    _table("join", counts.joins)
    _table("fault", counts.faults, what="found")
    _table("rule (findings)", counts.rules)
    if counts.candidates:
        print(f"\n{'candidates':<28}{'links':>8}{'true':>8}{'share':>8}{'1/n':>8}")
        for many, score in sorted(counts.candidates.items()):
            print(f"{many:<28}{score.told:>8}{score.both:>8}{score.precision or 0:>8.3f}{1 / many:>8.3f}")
    _questions(counts.questions)
    for name in ("wrong", "missed", "noise"):
        _lines(name, getattr(counts, name))


def _questions(questions: dict[str, Counter[str]]) -> None:
    print(f"\n{'question':<72}{'right':>8}{'not known':>11}{'wrong':>7}")
    for question, kinds in questions.items():
        print(f"{question:<72}{kinds['right']:>8}{kinds['not known']:>11}{kinds['wrong']:>7}")


def _lines(name: str, lines: list[str]) -> None:
    print(f"\n{name}: {len(lines)}")
    for line in lines[:25]:
        print(f"  {line}")


def _table(name: str, scores: dict[str, Score], what: str = "told") -> None:
    if not scores:
        return
    print(f"\n{name:<28}{'true':>8}{what:>8}{'both':>8}{'precision':>11}{'recall':>8}")
    for each, score in sorted(scores.items()):
        print(
            f"{each:<28}{score.true:>8}{score.told:>8}{score.both:>8}{_share(score.precision):>11}{_share(score.recall):>8}"
        )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
