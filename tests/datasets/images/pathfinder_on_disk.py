"""A small release of Pathfinder, for tests."""

from PIL import Image

LEVEL = "lra/pathfinder32/curv_contour_length_14"


def write_release(root, images, y, per_file=8):
    """The release's layout: folders and lines of text, numbered from 0; ten files sort after two."""
    level = root / LEVEL
    (level / "metadata").mkdir(parents=True)
    for n in range(-(-len(y) // per_file)):
        part = range(n * per_file, min(len(y), (n + 1) * per_file))
        (level / f"imgs/{n}").mkdir(parents=True)
        for m, i in enumerate(part):
            Image.fromarray(images[i]).save(level / f"imgs/{n}/sample_{m}.png")
        rows = [f"imgs/{n} sample_{m}.png {m} {y[i]} 1.0 14 4 2 0.5 1 1" for m, i in enumerate(part)]
        (level / f"metadata/{n}.npy").write_text("\n".join(rows) + "\n")
    return level
