// Plays renditions in Chromium, without a window: HLS by hls.js, DASH by dash.js, everything else as the browser itself does.
//
//   node tests/browser/play.mjs FOLDER PLAYS
//
// PLAYS is a JSON list of { file, by: "hls" | "dash" | "video", level?, sound?, text?, looks? }: the level to change to after
// 2 s, the sound and text track to choose at the start, by their places in the player's lists, and the seconds at which
// to look once more when it has ended. One line of JSON comes out for each: what was shown, heard and read. The packages are looked for in target/test-tools (scripts/setup test).
import { createReadStream } from "node:fs";
import { stat, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const tools = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../target/test-tools");
const require = createRequire(tools + "/");
const puppeteer = require("puppeteer-core").default ?? require("puppeteer-core");
const scripts = {
  hls: path.join(tools, "node_modules/hls.js/dist/hls.min.js"),
  dash: path.join(tools, "node_modules/dashjs/dist/modern/umd/dash.all.min.js"),
};
const [folder, plays] = [process.argv[2], JSON.parse(process.argv[3])];
const types = {
  m3u8: "application/vnd.apple.mpegurl", mpd: "application/dash+xml", m4s: "video/mp4", mp4: "video/mp4",
  webm: "video/webm", vtt: "text/vtt", ts: "video/mp2t",
};

const server = createServer(async (request, response) => {
  const name = decodeURIComponent(new URL(request.url, "http://x").pathname).slice(1);
  if (name === "page") return response.setHeader("Content-Type", "text/html").end("<!doctype html><video></video>");
  const file = path.join(folder, path.basename(name));
  try {
    const { size } = await stat(file);
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    response.setHeader("Content-Type", types[file.split(".").pop()] ?? "application/octet-stream");
    response.setHeader("Accept-Ranges", "bytes");
    if (from === undefined) return createReadStream(file).pipe(response.setHeader("Content-Length", size));
    const last = Math.min(to ? Number(to) : size - 1, size - 1);
    response.writeHead(206, { "Content-Range": `bytes ${from}-${last}/${size}`, "Content-Length": last - from + 1 });
    createReadStream(file, { start: Number(from), end: last }).pipe(response);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const origin = `http://127.0.0.1:${server.address().port}`;

// Runs in the page.
async function play({ file, by, level, sound, text, looks }) {
  const video = document.querySelector("video");
  const told = { file, by, errors: [], sizes: [], tones: {}, cues: [], brightness: [], levels: 0, sounds: [], texts: [] };
  const fault = (what) => told.errors.push(String(what));
  video.addEventListener("error", () => fault(`video: ${video.error?.message}`));
  const sized = () => told.sizes.push(`${video.videoWidth}x${video.videoHeight}`);
  video.addEventListener("resize", sized);
  const canvas = new OffscreenCanvas(32, 24).getContext("2d", { willReadFrequently: true });
  const brightness = async (time) => {
    const seeked = new Promise((done) => video.addEventListener("seeked", done, { once: true }));
    video.currentTime = time;
    await seeked;
    await new Promise((done) => setTimeout(done, 200));
    canvas.drawImage(video, 0, 0, 32, 24);
    const data = canvas.getImageData(0, 0, 32, 24).data;
    return Math.round(data.reduce((sum, value) => sum + value, 0) / data.length);
  };
  const audio = new AudioContext();
  const ear = new AnalyserNode(audio, { fftSize: 8192 });
  audio.createMediaElementSource(video).connect(ear).connect(audio.destination);
  const hear = () => {
    const bins = new Float32Array(ear.frequencyBinCount);
    ear.getFloatFrequencyData(bins);
    const loudest = bins.reduce((best, value, i) => (value > bins[best] ? i : best), 0);
    if (bins[loudest] > -60) {
      const hertz = Math.round((loudest * audio.sampleRate) / ear.fftSize / 50) * 50;
      told.tones[hertz] = (told.tones[hertz] ?? 0) + 1;
    }
    for (const track of video.textTracks) {
      for (const cue of track.activeCues ?? []) if (!told.cues.includes(cue.text)) told.cues.push(cue.text);
    }
  };
  const hearing = setInterval(hear, 100);
  let [change, choose, list] = [() => {}, () => {}, () => {}];
  if (by === "hls") {
    const hls = new Hls({ startLevel: 0 });
    hls.on(Hls.Events.ERROR, (_, e) => (e.fatal || e.details !== "bufferStalledError") && fault(`${e.type} ${e.details} ${e.reason ?? e.error ?? ""}`));
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      if (level !== undefined) hls.currentLevel = hls.levels.length - 1 - level;
    });
    hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, () => sound !== undefined && (hls.audioTrack = sound));
    hls.loadSource(file);
    hls.attachMedia(video);
    change = () => (hls.nextLevel = level);
    // The player would choose for itself before that.
    choose = () => text !== undefined && ([hls.subtitleDisplay, hls.subtitleTrack] = [true, text]);
    list = () => {
      told.levels = hls.levels.length;
      told.sounds = hls.audioTracks.map((t) => [t.name, t.lang ?? ""]);
      told.texts = hls.subtitleTracks.map((t) => [t.name, t.lang ?? ""]);
    };
  } else if (by === "dash") {
    const player = dashjs.MediaPlayer().create();
    player.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: level === undefined } }, text: { defaultEnabled: text !== undefined }, buffer: { fastSwitchEnabled: true } } });
    player.on("error", (e) => fault(`${e.error?.code} ${e.error?.message}`));
    player.on("streamInitialized", () => {
      const list = (kind) => player.getTracksFor(kind);
      told.levels = player.getRepresentationsByType("video").length;
      told.sounds = list("audio").map((t) => [t.labels?.[0]?.text ?? "", t.lang ?? ""]);
      told.texts = list("text").map((t) => [t.labels?.[0]?.text ?? "", t.lang ?? ""]);
      if (sound !== undefined) player.setCurrentTrack(list("audio")[sound]);
      if (text !== undefined) player.setTextTrack(text);
    });
    player.initialize(video, file, false);
    change = () => player.setRepresentationForTypeByIndex("video", level, true);
  } else {
    video.src = file;
  }
  await new Promise((ready) => (video.readyState > 2 ? ready() : (video.oncanplay = ready)));
  if (!video.videoWidth) fault("no picture");
  choose();
  await audio.resume();
  const ended = new Promise((end) => (video.onended = end));
  if (level !== undefined) {
    const at = () => video.currentTime > 2 && (video.removeEventListener("timeupdate", at), change());
    video.addEventListener("timeupdate", at);
  }
  await video.play();
  told.ended = await Promise.race([ended.then(() => true), new Promise((end) => setTimeout(() => end(false), (video.duration || 10) * 1000 + 15000))]);
  clearInterval(hearing);
  list();
  const quality = video.getVideoPlaybackQuality();
  video.removeEventListener("resize", sized);
  Object.assign(told, { time: video.currentTime, duration: video.duration, frames: quality.totalVideoFrames });
  // Paused, no picture is passed over.
  for (const time of looks ?? []) told.brightness.push(await brightness(time));
  return told;
}

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--mute-audio", "--autoplay-policy=no-user-gesture-required", "--disable-gpu"],
});
try {
  for (const one of plays) {
    const page = await browser.newPage();
    await page.goto(`${origin}/page`);
    const script = scripts[one.by];
    if (script) await page.evaluate(await readFile(script, "utf8"));
    console.log(JSON.stringify(await page.evaluate(play, one)));
    await page.close();
  }
} finally {
  await browser.close();
  server.close();
}
