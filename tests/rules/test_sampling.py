"""The sample that an auditor can draw again with a shell."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from custody.errors import UsageError
from custody.model.sampling import sample

IDS = [f"f-{number:016x}" for number in range(40)]


def test_the_same_population_size_and_seed_give_the_same_sample() -> None:
    one = sample(IDS, 5, "2026-11")

    assert one == sample([*reversed(IDS), *IDS], 5, "2026-11")
    assert (one.population, one.size, len(one.chosen)) == (40, 5, 5)
    assert set(one.chosen) <= set(IDS)
    assert one.chosen != sample(IDS, 5, "2026-12").chosen


def test_a_larger_sample_holds_the_smaller_one() -> None:
    assert sample(IDS, 12, "s").chosen[:5] == sample(IDS, 5, "s").chosen


def test_the_digest_is_of_the_population_and_not_of_the_sample() -> None:
    digest = hashlib.sha256("".join(f"{each}\n" for each in sorted(IDS)).encode()).hexdigest()

    assert sample(IDS, 1, "s").digest == sample(IDS, 9, "t").digest == digest
    assert sample(IDS[1:], 1, "s").digest != digest


def test_of_fewer_than_asked_for_all_are_chosen() -> None:
    assert sorted(sample(IDS[:3], 10, "s").chosen) == IDS[:3]
    assert sample([], 10, "s").chosen == ()


@pytest.mark.parametrize(("size", "seed"), [(0, "s"), (-1, "s"), (1, ""), (1, "a\nb")])
def test_a_sample_that_nobody_could_draw_again_is_refused(size: int, seed: str) -> None:
    with pytest.raises(UsageError):
        sample(IDS, size, seed)


def test_nearly_every_id_is_drawn_by_some_seed() -> None:
    drawn = {each for seed in range(60) for each in sample(IDS, 4, str(seed)).chosen}

    assert len(drawn) >= 38


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="the shell's own tools are the other implementation")
def test_a_shell_draws_the_same(tmp_path: Path) -> None:
    ids = ["é", *IDS[:6], "f-0 with a blank"]
    (tmp_path / "ids").write_text("".join(f"{each}\n" for each in ids))
    script = """
        LC_ALL=C sort -u ids | sha256sum | cut -d' ' -f1
        while IFS= read -r id; do
            printf '%s %s\\n' "$(printf '%s\\n%s' 'a seed' "$id" | sha256sum | cut -d' ' -f1)" "$id"
        done < ids | LC_ALL=C sort | head -n 3 | cut -d' ' -f2-
    """
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    digest, *chosen = done.stdout.splitlines()
    drawn = sample(ids, 3, "a seed")

    assert (drawn.digest, list(drawn.chosen)) == (digest, chosen)
