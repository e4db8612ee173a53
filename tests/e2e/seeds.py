# io: where a test's random numbers begin: with the seed of the commit (tests/seed.sh), or with the one in AFTERIMAGE_SEED.
import os
import random
import subprocess

SEED_SCRIPT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "seed.sh")


def seeded(name):
    """The test's random numbers; their seed is printed, so that it can be given again."""
    seed = int(os.environ.get("AFTERIMAGE_SEED") or subprocess.run([SEED_SCRIPT, f"e2e {name}"], capture_output=True, text=True, check=True).stdout)
    print(f"{name}: AFTERIMAGE_SEED={seed}", flush=True)
    return random.Random(seed)
