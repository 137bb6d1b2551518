"""A disk that loses power: what is left of the files of a process that ran with `disk.c`."""

from __future__ import annotations

import random
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path


def build(directory: Path, name: str = "disk") -> Path:
    """Compiles a library that is loaded before a process: ``disk.c`` or ``clock.c``."""
    library, source = directory / f"{name}.so", Path(__file__).with_name(f"{name}.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-o", library, source, "-ldl"], check=True)
    return library


@dataclass
class Disk:
    """What of a directory was synchronized, as the journal tells it."""

    unsynced: dict[Path, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """Writes by file: where, and how many bytes."""
    names: dict[Path, list[tuple[str, Path, Path]]] = field(default_factory=lambda: defaultdict(list))
    """Changes of names by directory: what was done, to which, and what it needs to be undone."""

    @classmethod
    def read(cls, journal: Path) -> Disk:
        """Reads a journal; its last line may be torn itself."""
        disk = cls()
        for line in journal.read_text().splitlines():
            match line.split():
                case ["W", path, offset, size]:
                    disk.unsynced[Path(path)].append((int(offset), int(size)))
                case ["S", path] if Path(path).is_dir():
                    disk.names.pop(Path(path), None)
                case ["S", path]:
                    disk.unsynced.pop(Path(path), None)
                case ["C", path]:
                    disk.names[Path(path).parent].append(("made", Path(path), Path()))
                case ["U", path, kept]:
                    disk.unsynced.pop(Path(path), None)
                    disk.names[Path(path).parent].append(("unlinked", Path(path), Path(kept)))
                case ["R", one, other]:
                    disk.unsynced[Path(other)] = disk.unsynced.pop(Path(one), [])
                    disk.names[Path(one).parent].append(("renamed", Path(one), Path(other)))
        return disk

    def lose_power(self, rng: random.Random) -> int:
        """Takes away what may be away now. Says how many writes were hit."""
        hit = 0
        for path, writes in self.unsynced.items():
            if path.exists():
                hit += self._tear(path, writes, rng)
        for changes in self.names.values():
            # A file system keeps their order; how many of the last it knows is chance.
            for what, path, other in reversed(changes[rng.randint(0, len(changes)) :]):
                if what == "made":
                    path.unlink(missing_ok=True)
                elif what == "unlinked" or other.exists():
                    other.replace(path)
        return hit

    @staticmethod
    def _tear(path: Path, writes: list[tuple[int, int]], rng: random.Random) -> int:
        fate = rng.choice(["all", "none", "each"])
        end, hit = min((offset for offset, _ in writes), default=path.stat().st_size), 0
        with path.open("r+b") as file:
            for offset, size in writes:
                kept = {"all": size, "none": 0}.get(fate, rng.choice([0, size, rng.randint(0, size)]))
                hit += kept < size
                if kept:
                    end = max(end, offset + kept)
                file.seek(offset + kept)
                file.write(bytes(size - kept))
            if writes:
                # Zeros may be left where the file had grown, or not even that.
                file.truncate(
                    end if rng.random() < 0.5 else min(path.stat().st_size, end + rng.choice([0, 512, 4096]))
                )
        return hit
