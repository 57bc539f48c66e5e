"""``python -m lab [--only NAME…] [--keep DIR] [--recordings DIR] [--compare]``: play scenes with real servers.

Exit codes: 0 every scene played; 1 one broke off; 2 a server could not be had. Nothing leaves loopback but the
fetching of the servers by the package clients.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from lab import compare, life, recordings


def main() -> int:
    """Play, then record and compare as asked; gives the exit code."""
    options = _options()
    folder = Path(options.keep) if options.keep else Path(tempfile.mkdtemp(prefix="custody-lab-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # the database's service account has to reach its folder below
    played = life.play(options.only or (), folder.resolve(), lambda text: print(text, flush=True))
    for scene in played:
        print(f"{scene.name}: {scene.problem or f'played, logs and truth in {scene.folder}'}")
    whole = [scene for scene in played if not scene.problem]
    for scene in whole if options.recordings else ():
        print(f"{scene.name}: {recordings.write(scene.folder, Path(options.recordings) / scene.name):,} bytes recorded")
    for scene in whole if options.compare else ():
        print(compare.scene(scene.folder))
    if any(scene.problem.startswith("broke off") for scene in played):
        return 1
    return 2 if len(whole) < len(played) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab", description="Play scenes with real servers on loopback.")
    names = [scene.name for scene in life.known()]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--keep", metavar="DIR", help="where servers, logs and truth are kept; else a temporary folder")
    parser.add_argument("--recordings", metavar="DIR", help="write scrubbed recordings here, a folder a scene")
    parser.add_argument(
        "--compare", action="store_true", help="audit the kept logs with custody and compare the chains"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
