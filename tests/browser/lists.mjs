// Reads playlists of HLS and manifests of DASH as two parsers do that others wrote: hls-parser (strict) and mpd-parser.
//
//   node tests/browser/lists.mjs FILE…
//
// One line of JSON comes out for each: what was understood, or the complaint. The packages are looked for in
// target/test-tools (scripts/setup test).
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const tools = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../target/test-tools");
const require = createRequire(tools + "/");
const hls = require("hls-parser").default ?? require("hls-parser");
const dash = require("mpd-parser");
hls.setOptions({ strictMode: true });

const lengths = (segments) => segments.map((segment) => segment.duration);
for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, "utf8");
  const told = { file: path.basename(file), complaints: [] };
  try {
    if (file.endsWith(".mpd")) {
      const complain = ({ message }) => told.complaints.push(message);
      const read = dash.parse(text, { manifestUri: "http://x/", eventHandler: complain });
      told.variants = read.playlists.length;
      told.seconds = read.duration;
      told.sounds = Object.keys(read.mediaGroups.AUDIO.audio ?? {});
      told.segments = read.playlists.map((list) => lengths(list.segments));
    } else {
      const read = hls.parse(text);
      told.version = read.version;
      if (read.isMasterPlaylist) {
        told.variants = read.variants.filter((variant) => !variant.isIFrameOnly).length;
        told.keyframes = read.variants.filter((variant) => variant.isIFrameOnly).length;
        told.sounds = read.variants[0].audio.map((sound) => sound.name);
      } else {
        told.segments = [lengths(read.segments)];
        told.seconds = told.segments[0].reduce((a, b) => a + b, 0);
        told.ranges = read.segments.filter((segment) => segment.byterange).length;
        told.target = read.targetDuration;
      }
    }
  } catch (error) {
    told.complaints.push(String(error.message ?? error));
  }
  console.log(JSON.stringify(told));
}
