#!/usr/bin/env python3
"""Speech to text beside faster-whisper: the same model, sound and cores, rounds alternating.

    benches/speech.py DAMCTL MODELS SOUND.wav CTRANSLATE2_MODEL PYTHONPATH ROUNDS [SAID]

Prints a row of a table: medians of wall seconds, their ratio, and by how many words of a hundred the two texts differ.
With a folder of NAME.LANGUAGE.wav and NAME.LANGUAGE.txt, what is said there, it prints the word error rates of both as well.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

damctl, models, sound, peer_model, peer_path, rounds = sys.argv[1:7]
said = pathlib.Path(sys.argv[7]) if len(sys.argv) > 7 else None
CORES = os.cpu_count() or 1
PEER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from faster_whisper import WhisperModel
model = WhisperModel(sys.argv[2], device="cpu", compute_type="int8", cpu_threads=int(sys.argv[3]))
for line in sys.stdin:
    language, sound = line.rstrip("\\n").split(" ", 1)
    began = time.time()
    segments, _ = model.transcribe(sound, language=language, beam_size=1, vad_filter=True)
    text = " ".join(s.text.strip() for s in segments)
    print(time.time() - began, text, flush=True)
"""


def seconds_of(path):
    probe = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path]
    return float(subprocess.check_output(probe))


class Ours:
    def __init__(self):
        self.dir = tempfile.TemporaryDirectory()
        environment = dict(os.environ, OMP_WAIT_POLICY="passive")
        self.child = subprocess.Popen([damctl, "infer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                      env=environment)
        heard = [sound] + ([str(said)] if said else [])
        limits = dict(memory_bytes=8 << 30, cpu_seconds=1 << 40, wall_seconds=1 << 20, stall_seconds=600, pixels=1 << 28)
        ears = dict(model=f"{models}/whisper-base/model.bin", voice=f"{models}/silero-vad/model.bin")
        self.say(dict(reads=[*heard, models], dir=self.dir.name, limits=limits, tools=dict(ears=ears)))
        assert json.loads(self.child.stdout.readline())["event"] == "ready"

    def say(self, what):
        self.child.stdin.write((json.dumps(what) + "\n").encode())
        self.child.stdin.flush()

    def hear(self, path, language):
        track = dict(codec="pcm_s16le", channels=1, rate=16000)
        facts = dict(kind="audio", mime="audio/x-wav", container="wav", duration_ms=int(seconds_of(path) * 1000), audio=[track])
        began = time.time()
        self.say(dict(ask="hear", input=path, facts=facts, languages=[language], tracks="first", channels="mixed", words=False,
                      at_a_time=CORES))
        while True:
            answer = json.loads(self.child.stdout.readline())
            if answer["event"] == "found":
                return time.time() - began, " ".join(f["text"] for s in answer["found"] for f in s["items"])
            assert answer["event"] == "progress", answer

    def peak_mb(self):
        status = open(f"/proc/{self.child.pid}/status").read()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


class Peer:
    def __init__(self):
        words = [sys.executable, "-c", PEER, peer_path, peer_model, str(CORES)]
        self.child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def hear(self, path, language):
        self.child.stdin.write(f"{language} {path}\n")
        self.child.stdin.flush()
        took, _, text = self.child.stdout.readline().partition(" ")
        return float(took), text.strip()


def words(text):
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def distance(a, b):
    before = list(range(len(b) + 1))
    for i, x in enumerate(a):
        now = [i + 1]
        for j, y in enumerate(b):
            now.append(min(before[j] + (x != y), before[j + 1] + 1, now[j] + 1))
        before = now
    return before[-1]


ours, peer = Ours(), Peer()
ours.hear(sound, "es"), peer.hear(sound, "es")
taken, theirs = [], []
for _ in range(int(rounds)):
    took, text = ours.hear(sound, "es")
    taken.append(took)
    took, other = peer.hear(sound, "es")
    theirs.append(took)
a, b = statistics.median(taken), statistics.median(theirs)
apart = 100 * distance(words(other), words(text)) / max(1, len(words(other)))
print(f"| speech to text, {seconds_of(sound):.0f} s of Spanish on {CORES} cores, beside faster-whisper int8 (texts differ in {apart:.0f} of 100 words) "
      f"| {a:.2f} s | {b:.2f} s | **{a / b:.2f}** | ≤ 1.0 | {ours.peak_mb():.0f} MB |")
for language in ["en", "es"] if said else []:
    wrong, theirs_wrong, total = 0, 0, 0
    for text in sorted(said.glob(f"*.{language}.txt")):
        reference = words(text.read_text())
        path = str(text.with_suffix(".wav"))
        wrong += distance(reference, words(ours.hear(path, language)[1]))
        theirs_wrong += distance(reference, words(peer.hear(path, language)[1]))
        total += len(reference)
    if total:
        a, b = 100 * wrong / total, 100 * theirs_wrong / total
        print(f"| word error rate, {total} words ({language}), beside faster-whisper int8 | {a:.1f} % | {b:.1f} % | {a - b:+.1f} points | ≤ 1 point | |")
ours.child.kill()
peer.child.kill()
