"""`make release-check`: build all artifacts into `dist/`, look at them, install and use them."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from build import ROOT, build
from contents import check
from use import use
from versions import stated_versions, version

DIST = ROOT / "dist"


def main() -> None:
    wrong = [place for place, stated in stated_versions().items() if stated != version()]
    if wrong:
        sys.exit(f"not at version {version()}: {', '.join(wrong)}")
    print(f"Building {version()}", flush=True)
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    artifacts = build(DIST)
    for path in artifacts.values():
        print(f"  {path.name}: {path.stat().st_size:,} bytes")
    print("Looking at the contents", flush=True)
    if wrong := check(artifacts):
        sys.exit("\n".join(wrong))
    print("Installing and using", flush=True)
    use(artifacts, Path(tempfile.mkdtemp(prefix="release-")))
    print("All artifacts are fit for a release.")


if __name__ == "__main__":
    main()
