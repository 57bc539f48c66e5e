"""What is shipped: the wheel holds every file that is not Python too, and works from there."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_wheel_works_where_it_is_installed(tmp_path: Path) -> None:
    """Built, unpacked, and run with nothing of the checkout on the path."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("custody-*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    data = {
        str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*") if path.suffix not in (".py", ".pyc")
    }
    shipped = {str(path.relative_to(tmp_path / "site")) for path in (tmp_path / "site").rglob("*") if path.is_file()}
    assert {name for name in data if (ROOT / "src" / name).is_file()} <= shipped

    run = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); from custody.cli import main; import custody; "
    run += f"assert custody.__file__.startswith({str(tmp_path)!r}); sys.exit(main(['demo', '--folder', 'demo']))"
    done = subprocess.run([sys.executable, "-c", run], cwd=tmp_path, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "FINDINGS" in done.stdout
    assert (tmp_path / "demo" / "report.html").exists()
