"""A few words of noise in the layout of Speech Commands, and its three splits, for tests."""

import numpy as np
from scipy.io import wavfile

from ccnn_geo.datasets.audio.speech_commands import SpeechCommandsRaw

TOY = ("no", "yes", "up")

LENGTHS = [16000] * 20 + [12000, 20000]


def write_words(folder, lengths=LENGTHS, words=TOY, rate=16000, **options):
    """``<word>/<speaker>_nohash_<n>.wav``, each word louder than the one before, and the two lists."""
    rng = np.random.default_rng(0)
    lists = {"validation_list.txt": [], "testing_list.txt": [], None: []}
    for loudness, word in enumerate(words, 1):
        (folder / word).mkdir(parents=True)
        for i, length in enumerate(lengths):
            name = f"{word}/{i % 5:08x}_nohash_{i // 5}.wav"
            wave = 500 * loudness * rng.standard_normal(length) + 300
            wavfile.write(folder / name, rate, np.rint(wave).astype(np.int16))
            lists[("testing_list.txt", "validation_list.txt", None, None, None)[i % 5]].append(name)
    for name in ("validation_list.txt", "testing_list.txt"):
        (folder / name).write_text("\n".join(lists[name]) + "\n")
    (folder / "_background_noise_").mkdir()
    return folder


def open_all(root, cls=SpeechCommandsRaw, **kwargs):
    options = {"words": TOY, "download": False, **kwargs}
    return [cls(root, split, **options) for split in ("train", "validation", "test")]


def rows(data):
    return data._index.tolist()
