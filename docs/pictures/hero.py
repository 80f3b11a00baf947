#!/usr/bin/env python3
"""Composes docs/pictures/hero.webp, the front picture, from results of the program as they came.

Needs Pillow and NumPy, and the fonts Inter and PT Serif (Debian: python3-pil python3-numpy fonts-inter fonts-paratype).
What is new comes from `mintage sample`, the dials from `mintage evaluate`, what is real from the demo's database:

    python3 docs/pictures/hero.py --db mintage-demo/demo.db \
        --rows rows.csv --report runs/ar/report.json runs/mixture/report.json \
        --images docs/pictures/flow.png --images-row 1 --kinds "ankle boot" sneaker coat pullover sandal trousers \
        --clips docs/clips/sprites.webp --tune docs/sounds/chorale-3.mid --sound digits.wav --digits 01234 \
        --text english.txt russian.txt --lines 5 3 --out docs/pictures/hero.webp

--rows       new rows, CSV; the first four are shown below the first four of the table `census`
--report     reports of one or two families, to stand beside each other
--images     a grid of new 28 × 28 images at twice their size; `--images-row` says which row of it is shown, from its
             left end, below the first photo of each of --kinds
--clips      a moving grid of new 64 × 64 clips; the first four are shown, their colours in steps of ten
--tune       a new tune, MIDI
--sound      new sounds, WAV (`flac -d docs/sounds/digits-vae.flac`), and --digits, what was asked for
--text       new texts, and --lines, how many of their first lines are shown
--still      a PNG of one frame, beside --out or in its place
"""

import argparse
import csv
import io
import json
import sqlite3
import struct
import wave

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# The colours of the HTML report: real in ink, new in mint.
INK, SOFT, LINE, PAPER, SHEET = (28, 36, 48), (102, 112, 126), (223, 227, 232), (255, 255, 255), (244, 246, 247)
MINT, MINT_SOFT = (29, 154, 108), (213, 239, 228)
WIDTH, MARGIN, GAP, PAD, HEAD = 1660, 28, 20, 24, 46
TOP, BOTTOM = 354, 356
HEIGHT = 2 * MARGIN + GAP + TOP + BOTTOM
FRAMES, FRAME_MS = 32, 125


def font(name, size):
    return ImageFont.truetype(name, size)


CAPTION, BODY, SMALL = font("Inter-SemiBold.otf", 26), font("Inter-Regular.otf", 22), font("Inter-Regular.otf", 20)
NUMBER, TAG, PROSE = font("Inter-SemiBold.otf", 26), font("Inter-SemiBold.otf", 20), font("PTF55F.ttf", 22)


class Card:
    """A panel with its caption; `x`, `y`, `w`, `h` are what is left for its content."""

    def __init__(self, draw, x, y, w, h, caption):
        draw.rounded_rectangle((x, y, x + w - 1, y + h - 1), 14, PAPER, LINE, 2)
        draw.text((x + PAD, y + PAD + 20), caption, INK, CAPTION, anchor="ls")
        self.x, self.y, self.w, self.h = x + PAD, y + PAD + HEAD, w - 2 * PAD, h - 2 * PAD - HEAD
        self.draw = draw


def tag(draw, x, y, new):
    draw.text((x, y), "new" if new else "real", MINT if new else SOFT, TAG, anchor="lm")


def rows(card, real, new, label):
    """Real rows above new ones, under one head."""
    columns = [("age", "age", 58, "r"), ("education", "education", 88, "l"), ("occupation", "occupation", 254, "l"),
               ("hours", "hours_per_week", 518, "r"), ("income", "income", 552, "l")]
    at = [card.x + label + x for _, _, x, _ in columns]
    for x, (name, _, _, side) in zip(at, columns):
        card.draw.text((x, card.y - HEAD + 20), name, SOFT, SMALL, anchor=side + "s")
    pitch, gap = 31, 10
    for block, found in enumerate((real, new)):
        top = card.y - 4 + block * (pitch * len(real) + gap)
        tag(card.draw, card.x, top + pitch / 2, block == 1)
        if block:
            middle = top - gap / 2
            card.draw.line((card.x, middle, card.x + card.w, middle), LINE, 2)
        for i, row in enumerate(found):
            for x, (_, key, _, side) in zip(at, columns):
                value = str(row[key] or "–")
                card.draw.text((x, top + pitch * i + pitch / 2), value, INK, BODY, anchor=side + "m")


def rounded(side):
    mask = Image.new("L", (side * 2, side * 2), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, side * 2 - 1, side * 2 - 1), 14, 255)
    return mask.resize((side, side), Image.LANCZOS)


def tile(picture, image, x, y, side):
    """An image at four times its size, its own pixels, on a black tile."""
    big = image.convert("L").resize((112, 112), Image.NEAREST)
    whole = Image.new("RGB", (side, side), (0, 0, 0))
    whole.paste(big, ((side - 112) // 2,) * 2)
    picture.paste(whole, (x, y), rounded(side))


def notes(path):
    """The notes of a MIDI file as (start, end, pitch) in quarter notes."""
    data = open(path, "rb").read()
    ticks, at, found = struct.unpack(">H", data[12:14])[0], 14, []
    while at + 8 <= len(data):
        size = struct.unpack(">I", data[at + 4 : at + 8])[0]
        track, at = data[at + 8 : at + 8 + size], at + 8 + size
        i, now, status, down = 0, 0, 0, {}

        def number(i):
            value = 0
            while True:
                value, i = value << 7 | track[i] & 127, i + 1
                if not track[i - 1] & 128:
                    return value, i

        while i < len(track):
            delta, i = number(i)
            now += delta
            if track[i] & 128:
                status, i = track[i], i + 1
            if status == 0xFF:
                length, i = number(i + 1)
                i += length
            elif status in (0xF0, 0xF7):
                length, i = number(i)
                i += length
            elif status >> 4 in (0xC, 0xD):
                i += 1
            else:
                key, value, i = track[i], track[i + 1], i + 2
                start = down.pop(key, None) if status >> 4 in (8, 9) else None
                if start is not None:
                    found.append((start / ticks, now / ticks, key))
                if status >> 4 == 9 and value:
                    down[key] = now
    return found


def spectrogram(path, width, height):
    """Levels of mel frequencies, and the loudness over time, both as wide as asked for."""
    with wave.open(path) as sound:
        rate, raw = sound.getframerate(), sound.readframes(sound.getnframes())
    samples = np.frombuffer(raw, "<i2") / 32768
    size, starts = 256, np.linspace(-128, len(samples) - 128, width).astype(int)
    padded = np.pad(samples, size)
    frames = np.stack([padded[s + size : s + 2 * size] for s in starts]) * np.hanning(size)
    power = np.abs(np.fft.rfft(frames, 1024)) ** 2
    mel = lambda f: 2595 * np.log10(1 + f / 700)
    places = np.linspace(mel(60), mel(rate / 2), height + 2)
    edges = (700 * (10 ** (places / 2595) - 1)) * 1024 / rate
    bins, levels = np.arange(power.shape[1]), []
    for low, mid, high in zip(edges, edges[1:], edges[2:]):
        low, high = min(low, mid - 1), max(high, mid + 1)
        weights = np.clip(np.minimum((bins - low) / (mid - low), (high - bins) / (high - mid)), 0, None)
        levels.append(power @ weights / weights.sum())
    level = 10 * np.log10(np.array(levels)[::-1] + 1e-9)
    return np.clip((level - level.max() + 60) / 60, 0, 1), power.sum(1)


def words(loud):
    """Where each of a few words stands: the middles of what is loud between silences."""
    on = np.flatnonzero(np.convolve(loud, np.ones(5) / 5, "same") > loud.max() * 2e-3)
    groups = np.split(on, np.flatnonzero(np.diff(on) > 10) + 1)
    return [(g[0] + g[-1]) / 2 for g in groups if len(g) > 8]


def sound(picture, card, path, digits):
    card.h -= 26
    levels, loud = spectrogram(path, card.w, card.h)
    stops = np.array([0, 0.45, 0.8, 1])
    colours = np.array([PAPER, (150, 214, 189), MINT, INK])
    pixels = np.stack([np.interp(levels, stops, colours[:, c]) for c in range(3)], -1)
    picture.paste(Image.fromarray(pixels.astype("uint8")), (card.x, card.y))
    found = words(loud)
    if len(found) != len(digits):
        raise SystemExit(f"{path}: {len(found)} words, not {len(digits)}")
    for x, digit in zip(found, digits):
        card.draw.text((card.x + x, card.y + card.h + 16), digit, SOFT, SMALL, anchor="mm")


def prose(card, paths, lines):
    """The first lines of each text, wrapped."""
    pitch, above = card.h / (sum(lines) + 0.5 * (len(lines) - 1)), 0
    for path, most in zip(paths, lines):
        wrapped = []
        for line in open(path, encoding="utf-8").read().strip().splitlines():
            now = ""
            for word in line.split():
                longer = f"{now} {word}".strip()
                if now and PROSE.getlength(longer) > card.w:
                    wrapped.append(now)
                    longer = word
                now = longer
            wrapped.append(now)
        for i, line in enumerate(wrapped[:most]):
            card.draw.text((card.x, card.y + (above + i + 0.5) * pitch), line, INK, PROSE, anchor="lm")
        above += most + 0.5


def judged(card, reports):
    """The dials as the report draws them, score, bar and interval, of a few models beside each other."""
    pitch, step = card.h / 4, 102
    colours = (MINT, SOFT)
    rights = [card.x + card.w - step * (len(reports) - 1 - i) for i in range(len(reports))]
    for right, report, colour in zip(rights, reports, colours):
        card.draw.text((right, card.y - HEAD + 20), report["family"], colour, TAG, anchor="rs")
    for i, name in enumerate(("fidelity", "coverage", "novelty", "utility")):
        y = card.y + i * pitch
        card.draw.text((card.x, y + 26), name, INK, BODY, anchor="ls")
        for j, (right, report, colour) in enumerate(zip(rights, reports, colours)):
            dial, top = report["dials"][name], y + 36 + 12 * j
            card.draw.text((right, y + 26), f"{dial['score']:.0f}", INK, NUMBER, anchor="rs")
            place = lambda score: card.x + (card.w - 1) * score / 100
            card.draw.rectangle((card.x, top, place(100), top + 7), LINE)
            card.draw.rectangle((card.x, top, place(dial["score"]), top + 7), colour)
            dark = tuple((c * 30 + i * 70) // 100 for c, i in zip(colour, INK))
            card.draw.rectangle((place(dial["low"]), top + 3, place(dial["high"]), top + 4), dark)


def roll(card, tune, share):
    """A piano roll; what sounds under the line at `share` of the way is dark."""
    keys = [key for _, _, key in tune]
    low, high, end = min(keys), max(keys), max(end for _, end, _ in tune)
    pitch, now = card.h / (high - low + 1), share * end
    for bar in range(0, int(end) + 1, 4):
        x = card.x + card.w * bar / end
        card.draw.line((x, card.y, x, card.y + card.h), LINE, 1)
    for start, stop, key in tune:
        y = card.y + (high - key + 0.5) * pitch
        x0, x1 = card.x + card.w * start / end, card.x + card.w * stop / end - 2
        card.draw.rectangle((x0, y - 2, x1, y + 2), INK if start <= now < stop else MINT)
    x = round(card.x + card.w * share)
    card.draw.line((x, card.y - 4, x, card.y + card.h + 4), INK, 2)


def main():
    parser = argparse.ArgumentParser(description="Composes the front picture.")
    for name in ("db", "rows", "images", "clips", "tune", "sound", "digits"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--text", nargs="+", required=True)
    parser.add_argument("--lines", nargs="+", type=int, required=True)
    parser.add_argument("--report", nargs="+", required=True)
    parser.add_argument("--images-row", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", required=True)
    parser.add_argument("--out")
    parser.add_argument("--still")
    args = parser.parse_args()

    sheet = Image.new("RGB", (WIDTH, HEIGHT), SHEET)
    draw = ImageDraw.Draw(sheet)
    label, shown, side = 64, len(args.kinds), 118
    images_w = 2 * PAD + label + shown * side + (shown - 1) * 5
    inner = WIDTH - 2 * MARGIN

    # Rows and images: real above new.
    db = sqlite3.connect(args.db)
    db.row_factory = sqlite3.Row
    real = db.execute("SELECT * FROM census ORDER BY id LIMIT 4").fetchall()
    new = list(csv.DictReader(open(args.rows, encoding="utf-8")))[:4]
    rows(Card(draw, MARGIN, MARGIN, inner - GAP - images_w, TOP, "rows"), real, new, label)
    card = Card(draw, MARGIN + inner - images_w, MARGIN, images_w, TOP, "images")
    first = "SELECT photo FROM products WHERE category = ? ORDER BY id LIMIT 1"
    photos = [db.execute(first, (kind,)).fetchone() for kind in args.kinds]
    grid = Image.open(args.images)
    for i in range(shown):
        cell = (2 + 58 * i, 2 + 58 * args.images_row)
        made = grid.crop((*cell, cell[0] + 56, cell[1] + 56)).resize((28, 28), Image.NEAREST)
        for block, image in enumerate((Image.open(io.BytesIO(photos[i][0])), made)):
            tile(sheet, image, card.x + label + i * (side + 5), card.y + block * (card.h - side), side)
    for block in range(2):
        tag(draw, card.x, card.y + block * (card.h - side) + side / 2, block == 1)

    # What does not move of the second row.
    y = MARGIN + TOP + GAP
    video_w, judged_w, heard_w = 2 * PAD + 2 * 128 + 6, 322, 396
    video = Card(draw, MARGIN, y, video_w, BOTTOM, "video")
    x = MARGIN + video_w + GAP
    music = Card(draw, x, y, heard_w, BOTTOM, "music")
    part = (BOTTOM - 2 * PAD) // 2
    music.h = part - HEAD - 22
    heard = Card.__new__(Card)
    heard.draw, heard.x, heard.w, heard.y, heard.h = draw, music.x, music.w, music.y + part, part - HEAD
    draw.text((heard.x, heard.y - HEAD + 20), "sound", INK, CAPTION, anchor="ls")
    sound(sheet, heard, args.sound, args.digits)
    x += heard_w + GAP
    text_w = MARGIN + inner - judged_w - GAP - x
    prose(Card(draw, x, y, text_w, BOTTOM, "text"), args.text, args.lines)
    judged(Card(draw, x + text_w + GAP, y, judged_w, BOTTOM, "judged"), [json.load(open(path)) for path in args.report])

    # What moves: the clips, and the line over the music.
    clips, tune = Image.open(args.clips), notes(args.tune)
    corners = Image.new("L", (2 * WIDTH, 2 * HEIGHT), 0)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, 2 * WIDTH - 1, 2 * HEIGHT - 1), 48, 255)
    corners = corners.resize((WIDTH, HEIGHT), Image.LANCZOS)
    moving = []
    for i in range(clips.n_frames):
        clips.seek(i)
        moving.append(clips.convert("RGB").crop((0, 0, 2 + 66 * 4, 66)))
    whole = Image.new("RGB", (moving[0].width, 66 * len(moving)))
    for i, image in enumerate(moving):
        whole.paste(image, (0, 66 * i))
    whole = whole.point(lambda level: level // 10 * 10 + 5)

    def frame(i):
        picture = sheet.copy()
        for j in range(4):
            cell = (2 + 66 * j, 66 * (i % len(moving)) + 2)
            clip = whole.crop((*cell, cell[0] + 64, cell[1] + 64)).resize((128, 128), Image.NEAREST)
            picture.paste(clip, (video.x + j % 2 * 134, video.y + j // 2 * (video.h - 128)), rounded(128))
        music.draw = ImageDraw.Draw(picture)
        roll(music, tune, (i + 0.5) / FRAMES)
        picture.putalpha(corners)
        return picture

    if args.still:
        frame(FRAMES // 3).save(args.still)
    if args.out:
        frame(0).save(args.out, save_all=True, append_images=map(frame, range(1, FRAMES)), duration=FRAME_MS, loop=0,
                      lossless=True, quality=80, method=4)


if __name__ == "__main__":
    main()
