"""Figures of tiny scores by MuSpy (Dong et al. 2020), against which ours are tested.

    python -m venv bench/.venv-muspy && bench/.venv-muspy/bin/pip install muspy==0.5.0
    bench/.venv-muspy/bin/python bench/peers/muspy_figures.py > crates/mintage-data/tests/fixtures/muspy.json

The scores are made here, so that the file needs no data: on a grid of 12 steps a quarter, in canonical form.
"""

import json
import math
import random

import muspy

RESOLUTION = 12
DRUMS = 128


def random_score(rng, programmes, length, step, density, pitches):
    """Notes that never overlap within a programme and pitch."""
    notes = []
    for programme in programmes:
        for pitch in pitches[programme]:
            time = rng.choice([0, step, 2 * step])
            while time < length:
                duration = 3 if programme == DRUMS else rng.choice([step, 2 * step, 12, 24])
                if rng.random() < density:
                    notes.append([time, duration, pitch, programme])
                time += duration + rng.choice([0, step])
    return sorted(notes, key=lambda note: (note[0], note[3], note[2]))


def number(value):
    return None if math.isnan(value) else float(value)


def figures(notes, measure):
    tracks = []
    for programme in sorted({note[3] for note in notes}):
        drum = programme == DRUMS
        own = [muspy.Note(n[0], n[2], n[1], 66) for n in notes if n[3] == programme]
        tracks.append(muspy.Track(0 if drum else programme, drum, notes=own))
    music = muspy.Music(resolution=RESOLUTION, tracks=tracks)
    melodic = any(note[3] != DRUMS for note in notes)
    values = {
        # Without pitches, MuSpy's range is that of its starting values, -127.
        "pitch_range": muspy.pitch_range(music) if melodic else 0,
        "n_pitches_used": muspy.n_pitches_used(music),
        "n_pitch_classes_used": muspy.n_pitch_classes_used(music),
        "polyphony": muspy.polyphony(music),
        "polyphony_rate": muspy.polyphony_rate(music),
        "scale_consistency": muspy.scale_consistency(music),
        "pitch_entropy": muspy.pitch_entropy(music),
        "pitch_class_entropy": muspy.pitch_class_entropy(music),
        "empty_beat_rate": muspy.empty_beat_rate(music),
        "empty_measure_rate": muspy.empty_measure_rate(music, measure),
        "groove_consistency": muspy.groove_consistency(music, measure),
        "drum_pattern_consistency": muspy.drum_pattern_consistency(music),
    }
    scales = [(root, mode) for mode in ("major", "minor") for root in range(12)]
    in_scale = [number(muspy.pitch_in_scale_rate(music, root, mode)) for root, mode in scales]
    return {name: number(value) for name, value in values.items()}, in_scale


def main():
    rng = random.Random(1)
    scale = [60, 62, 64, 65, 67, 69, 71]
    recipes = [
        ("4/4", 48, [0], 192, 3, 0.5, {0: scale}),
        ("3/4", 36, [0, 40], 144, 6, 0.4, {0: scale, 40: [72, 76, 79]}),
        ("4/4", 48, [0, DRUMS], 240, 4, 0.5, {0: [61, 66, 68], DRUMS: [36, 38, 42]}),
        ("6/8", 36, [DRUMS], 100, 4, 0.6, {DRUMS: [36, 38]}),
        ("4/4", 48, [5, 6], 96, 3, 0.9, {5: list(range(50, 62)), 6: list(range(50, 62))}),
        ("4/4", 48, [0], 30, 3, 1.0, {0: [60]}),
        ("4/4", 48, [0], 600, 12, 0.08, {0: [48, 55, 64]}),
    ]
    cases = []
    for metre, measure, *recipe in recipes:
        notes = random_score(rng, *recipe)
        values, in_scale = figures(notes, measure)
        cases.append({"metre": metre, "notes": notes, "figures": values, "in_scale": in_scale})
    print("[" + ",\n".join(json.dumps(case) for case in cases) + "]")


if __name__ == "__main__":
    main()
