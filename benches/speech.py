#!/usr/bin/env python3
"""Speech to text beside faster-whisper: the same model, sound and cores, rounds alternating.

    benches/speech.py DAMCTL MODELS SOUND.wav CTRANSLATE2_MODEL PYTHONPATH ROUNDS

Prints a row of a table: medians of wall seconds, their ratio, and by how many words of a hundred the two texts differ.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

damctl, models, sound, peer_model, peer_path, rounds = sys.argv[1:]
CORES = os.cpu_count() or 1
PEER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from faster_whisper import WhisperModel
model = WhisperModel(sys.argv[2], device="cpu", compute_type="int8", cpu_threads=int(sys.argv[4]))
for _ in sys.stdin:
    began = time.time()
    segments, _ = model.transcribe(sys.argv[3], language="es", beam_size=1, vad_filter=True)
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
        limits = dict(memory_bytes=8 << 30, cpu_seconds=1 << 40, wall_seconds=1 << 20, stall_seconds=600, pixels=1 << 28)
        ears = dict(model=f"{models}/whisper-base/model.bin", voice=f"{models}/silero-vad/model.bin")
        self.say(dict(reads=[sound, models], dir=self.dir.name, limits=limits, tools=dict(ears=ears)))
        assert json.loads(self.child.stdout.readline())["event"] == "ready"
        track = dict(codec="pcm_s16le", channels=1, rate=16000)
        self.facts = dict(kind="audio", mime="audio/x-wav", container="wav", duration_ms=int(seconds_of(sound) * 1000), audio=[track])

    def say(self, what):
        self.child.stdin.write((json.dumps(what) + "\n").encode())
        self.child.stdin.flush()

    def round(self):
        began = time.time()
        self.say(dict(ask="hear", input=sound, facts=self.facts, languages=["es"], tracks="first", channels="mixed", words=False,
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
        words = [sys.executable, "-c", PEER, peer_path, peer_model, sound, str(CORES)]
        self.child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def round(self):
        self.child.stdin.write("go\n")
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
ours.round(), peer.round()
taken, theirs = [], []
for _ in range(int(rounds)):
    took, text = ours.round()
    taken.append(took)
    took, other = peer.round()
    theirs.append(took)
a, b = statistics.median(taken), statistics.median(theirs)
apart = 100 * distance(words(other), words(text)) / max(1, len(words(other)))
print(f"| speech to text, {seconds_of(sound):.0f} s of Spanish on {CORES} cores, beside faster-whisper int8 (texts differ in {apart:.0f} of 100 words) "
      f"| {a:.2f} s | {b:.2f} s | **{a / b:.2f}** | ≤ 1.0 | {ours.peak_mb():.0f} MB |")
ours.child.kill()
peer.child.kill()
