// The page for editors: asks, shows, plays from the second. Nothing but the endpoint's own addresses is used.
import { words } from "/page/words.js";

const $ = (id) => document.getElementById(id);
const api = "/api/v1";
let tongue = localStorage.getItem("tongue") ?? (navigator.language?.startsWith("es") ? "es" : "en");
let t = words[tongue] ?? words.en;
let token = sessionStorage.getItem("token");
let wanted = 0, next = null, labels = [], hits = [], shown = null, marks = { in: null, out: null };

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

// Marked text comes escaped, with <b> around what matched: taken apart, never as HTML.
function marked(html) {
  const plain = (s) => s.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&amp;", "&");
  return html.split(/(<b>.*?<\/b>)/s).filter(Boolean).map((part) =>
    part.startsWith("<b>") ? make("mark", {}, plain(part.slice(3, -4))) : plain(part));
}

async function get(path, how = {}) {
  const headers = { ...(how.headers ?? {}) };
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(api + path, { ...how, headers });
  if (answer.status === 401 && !how.quiet) $("signin").showModal();
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(problem.detail ?? answer.statusText), { hint: problem.hint, status: answer.status });
  }
  return answer.status === 204 ? null : answer.json();
}

function speak() {
  t = words[tongue] ?? words.en;
  document.documentElement.lang = tongue;
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t[node.dataset.t];
  for (const node of document.querySelectorAll("[data-p]")) node.placeholder = t[node.dataset.p];
  for (const node of document.querySelectorAll("[data-l]")) node.setAttribute("aria-label", t[node.dataset.l]);
  $("tongue").value = tongue;
}

const clock = (ms) => {
  const s = Math.floor(ms / 1000), two = (n) => String(n).padStart(2, "0");
  return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
};

// Labels by SMPTE ST 12-1, as the endpoint counts them.
function counting(rate, drop) {
  const [n, d] = rate ?? [25, 1], nominal = Math.round(n / d);
  const dropped = drop && d === 1001 && nominal % 30 === 0 ? nominal / 15 : 0;
  const two = (x) => String(x).padStart(2, "0");
  return {
    frame: (seconds) => Math.floor((seconds * n) / d + 1e-3),
    label(frame) {
      const tens = nominal * 600 - 9 * dropped, minute = nominal * 60 - dropped;
      frame %= tens * 144;
      const rest = frame % tens;
      let f = frame + 9 * dropped * Math.floor(frame / tens);
      if (dropped && rest >= nominal * 60) f += dropped * (1 + Math.floor((rest - nominal * 60) / minute));
      const s = Math.floor(f / nominal);
      return `${two(Math.floor(s / 3600))}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}${dropped ? ";" : ":"}${two(f % nominal)}`;
    },
    first(label) {
      const [h, m, s, f] = label.split(/[:;.]/).map(Number);
      const whole = h * 60 + m;
      return (whole * 60 + s) * nominal + f - dropped * (whole - Math.floor(whole / 10));
    },
  };
}

function question() {
  const quoted = (v) => `"${v.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  const fields = { people: "person", places: "place", organizations: "organization", objects: "object", topics: "topic", tags: "tag" };
  const narrowed = labels.map(([field, value]) => `${fields[field] ?? field}:=${quoted(value)}`);
  const typed = $("q").value.trim();
  return [typed && narrowed.length ? `(${typed})` : typed, ...narrowed].filter(Boolean).join(" ");
}

async function search(more = false) {
  const turn = ++wanted;
  closeSuggestions();
  const ask = new URLSearchParams({ q: question(), limit: "24", facets: "kind,collection,program,topics,people,places,objects,tags" });
  if ($("sort").value) ask.set("sort", $("sort").value);
  // What is found by its meaning has no other order, and nothing typed means nothing.
  $("meaning").disabled = Boolean($("sort").value);
  const means = !$("means").hidden && $("meaning").checked && !$("meaning").disabled && $("q").value.trim();
  if (means) ask.set("meaning", "true");
  if (more && next) ask.set("cursor", next);
  if (!more) {
    const place = new URLSearchParams({ q: $("q").value.trim() });
    labels.forEach(([f, v]) => place.append("l", `${f}=${v}`));
    if ($("sort").value) place.set("sort", $("sort").value);
    if ($("meaning").checked) place.set("meaning", "1");
    history.replaceState(null, "", `?${place}`);
  }
  $("status").textContent = t.asking;
  try {
    const answer = await get(`/search?${ask}`);
    if (turn !== wanted) return;
    next = answer.next ?? null;
    hits = more ? [...hits, ...answer.hits] : answer.hits;
    if (!more) $("results").replaceChildren();
    $("results").append(...answer.hits.map(card));
    $("more").hidden = !next;
    const said = Object.entries(answer.corrections ?? {}).map(([word, others]) => t.instead(word, others.join(", ")));
    $("status").textContent = [answer.total ? t.found(answer.total, answer.more) : t.nothing, ...said, ...(answer.notices ?? [])].join(" ");
    if (!more) facets(answer.facets);
  } catch (problem) {
    if (turn !== wanted) return;
    $("status").textContent = [problem.message, problem.hint].filter(Boolean).join(" — ");
    if (!more) { $("results").replaceChildren(); $("more").hidden = true; }
  }
}

function facets(all) {
  $("facets").replaceChildren(...all.filter((f) => f.values.length).map((facet) =>
    make("fieldset", {}, make("legend", {}, t.fields[facet.field] ?? facet.field),
      ...facet.values.slice(0, 12).map(([value, n]) => {
        const is = labels.some(([f, v]) => f === facet.field && v === value);
        const toggle = () => {
          labels = is ? labels.filter(([f, v]) => !(f === facet.field && v === value)) : [...labels, [facet.field, value]];
          search();
        };
        const text = facet.field === "kind" ? t.kinds[value] ?? value : value;
        return make("button", { type: "button", "aria-pressed": String(is), onclick: toggle }, make("span", {}, text), make("span", {}, String(n)));
      }))));
}

const picture = (hit) => hit.renditions.find((r) => r.mime?.startsWith("image/") && /poster|thumb/.test(r.name) && !/animat/.test(r.name))
  ?? hit.renditions.find((r) => r.mime?.startsWith("image/"));

function card(hit) {
  const poster = picture(hit), sheet = hit.renditions.find((r) => r.mime === "text/vtt");
  const frame = make("div", { class: "poster" },
    poster ? make("img", { src: poster.url, alt: "", loading: "lazy" }) : make("span", {}, t.nopicture),
    hit.duration_ms ? make("span", { class: "length" }, clock(hit.duration_ms)) : null);
  if (sheet) scrub(frame, sheet);
  // Editors see what others do not, and why; and what is not at hand.
  const marks = [...(hit.hidden ?? []), ...(hit.archived ? ["archived"] : [])].map((mark) => t.marks[mark] ?? mark);
  const about = [t.kinds[hit.kind] ?? hit.kind, ...marks, hit.collection, hit.paths?.[0]].filter(Boolean).join(" · ");
  const open = make("button", { type: "button", class: "open", onclick: () => show(hit, hit.moments[0]) }, frame, make("div", { class: "name" }, hit.title));
  const spots = hit.moments.map((spot) => make("li", {}, spotButton(spot, () => show(hit, spot))));
  return make("li", { "data-asset": hit.asset }, open, make("p", { class: "about" }, about),
    spots.length ? make("ol", { class: "spots" }, ...spots) : make("p", { class: "about" }, ...marked(hit.snippet)));
}

function spotButton(spot, act) {
  const when = spot.to_ms ? make("time", {}, spot.timecode ?? clock(spot.from_ms)) : null;
  const doubt = spot.doubts?.length ? ` (${t.doubtful})` : "";
  return make("button", { type: "button", onclick: act }, when, make("span", { class: "hidden" }, `${t[spot.kind]}: `), ...marked(spot.snippet), doubt);
}

// Small pictures of the whole recording, under the pointer.
function scrub(frame, sheet) {
  let cues = null;
  const load = async () => {
    cues = [];
    const address = `${sheet.url}/`, list = await fetch(sheet.url, { redirect: "follow" }).then((r) => (r.ok ? r.text() : "")).catch(() => "");
    for (const [, file, x, y, w, h] of list.matchAll(/^(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$/gm)) cues.push({ file: address + file, x: +x, y: +y, w: +w, h: +h });
  };
  const layer = make("div", { class: "scrub", hidden: true });
  frame.append(layer);
  frame.addEventListener("pointermove", async (e) => {
    if (!cues) await load();
    if (!cues.length) return;
    const box = frame.getBoundingClientRect();
    const cue = cues[Math.min(cues.length - 1, Math.max(0, Math.floor(((e.clientX - box.left) / box.width) * cues.length)))];
    const scale = Math.min(box.width / cue.w, box.height / cue.h);
    const sheetImage = new Image();
    sheetImage.onload = () => { layer.style.backgroundSize = `${sheetImage.naturalWidth * scale}px ${sheetImage.naturalHeight * scale}px`; };
    sheetImage.src = cue.file;
    Object.assign(layer.style, { backgroundImage: `url("${cue.file}")`, backgroundPosition: `-${cue.x * scale}px -${cue.y * scale}px`,
      width: `${cue.w * scale}px`, height: `${cue.h * scale}px`, left: `${(box.width - cue.w * scale) / 2}px`, top: `${(box.height - cue.h * scale) / 2}px` });
    layer.hidden = false;
  });
  frame.addEventListener("pointerleave", () => { layer.hidden = true; });
}

// A film of one file is at the second soonest; a stream is played by browsers that know its lists.
const moving = (hit) => hit.renditions.find((r) => r.mime === "video/mp4")
  ?? hit.renditions.find((r) => r.mime === "application/vnd.apple.mpegurl" && document.createElement("video").canPlayType(r.mime))
  ?? hit.renditions.find((r) => r.mime?.startsWith("video/"));

const player = () => $("stage").querySelector("video, audio");

async function show(hit, spot) {
  shown = { hit, spot: Math.max(0, hit.moments.indexOf(spot)), count: counting(hit.rate, hit.timecode?.drop_frame), opener: document.activeElement };
  shown.first = hit.timecode ? shown.count.first(hit.timecode.value) : 0;
  marks = { in: null, out: null };
  $("title").textContent = hit.title;
  const film = moving(hit);
  const sound = hit.renditions.find((r) => r.mime?.startsWith("audio/")), still = picture(hit);
  const media = film ?? (hit.kind === "video" ? null : sound);
  const begin = spot?.to_ms ? spot.from_ms / 1000 : 0;
  const stage = media
    ? make(film ? "video" : "audio", { src: `${media.url}#t=${begin}`, controls: true, preload: "metadata", poster: film ? still?.url : undefined, "aria-label": hit.title })
    : still ? make("img", { src: still.url, alt: hit.title }) : make("p", {}, t.cannot);
  $("stage").replaceChildren(stage);
  if (media) {
    stage.addEventListener("loadedmetadata", () => { if (Math.abs(stage.currentTime - begin) > 0.05) stage.currentTime = begin; }, { once: true });
    stage.addEventListener("timeupdate", follow);
    stage.addEventListener("seeked", follow);
    stage.addEventListener("error", () => $("stage").replaceChildren(make("p", {}, t.cannot)));
  }
  for (const node of document.querySelectorAll(".marks > *")) node.hidden = !media;
  $("moments").replaceChildren(...hit.moments.map((s, n) => make("li", { "aria-current": String(n === shown.spot) }, spotButton(s, () => jump(n)))));
  known(hit);
  $("viewer").hidden = false;
  for (const node of [document.querySelector("header"), document.querySelector("main")]) node.inert = true;
  $("title").focus();
  range();
  const of = shown;
  $("transcript").replaceChildren();
  $("silent").hidden = true;
  const lines = await get(`/assets/${hit.asset}/transcript.json`).catch(() => null);
  if (of !== shown) return;
  $("silent").hidden = Boolean(lines);
  $("transcript").replaceChildren(...(lines?.items ?? []).map((line) =>
    make("li", { "data-from": line.from_ms, "data-to": line.to_ms },
      make("button", { type: "button", onclick: () => go(line.from_ms / 1000) }, make("time", {}, clock(line.from_ms)), line.speaker ? `${line.speaker}: ` : "", line.text))));
  follow();
}

function known(hit) {
  const d = hit.description ?? {}, f = t.fields;
  const rows = [[f.kind, t.kinds[hit.kind]], [f.collection, hit.collection], [f.program, d.program], [f.text, d.text], [f.people, d.people?.join(", ")],
    [f.places, d.places?.join(", ")], [f.tags, d.tags?.join(", ")], [f.date, d.date], [f.license, d.rights?.license], [f.embargo_until, d.rights?.embargo_until],
    [f.expires, d.rights?.expires], [f.territory, d.rights?.territories?.join(", ")], [f.consent, d.rights?.consent],
    [f.duration, hit.duration_ms && clock(hit.duration_ms)], [f.size, hit.size?.join(" × ")], [f.codec, hit.codec], [f.rate, hit.rate && (hit.rate[0] / hit.rate[1]).toFixed(2)],
    [f.channels, hit.channels], [f.timecode, hit.timecode?.value], ...(hit.paths ?? []).map((p) => [f.path, p])];
  $("known").replaceChildren(...rows.filter(([, v]) => v).flatMap(([k, v]) => [make("dt", {}, k), make("dd", {}, String(v))]));
}

function hide() {
  player()?.pause();
  $("stage").replaceChildren();
  $("viewer").hidden = true;
  for (const node of [document.querySelector("header"), document.querySelector("main")]) node.inert = false;
  shown?.opener?.focus?.();
  shown = null;
}

function go(seconds) {
  const media = player();
  if (media) { media.currentTime = Math.max(0, seconds); follow(); }
}

function jump(n) {
  if (!shown?.hit.moments.length) return;
  shown.spot = (n + shown.hit.moments.length) % shown.hit.moments.length;
  [...$("moments").children].forEach((li, at) => li.setAttribute("aria-current", String(at === shown.spot)));
  go(shown.hit.moments[shown.spot].from_ms / 1000);
}

const label = (seconds) => shown.count.label(shown.first + shown.count.frame(seconds));

// The line that is being said stays in sight.
function follow() {
  const media = player();
  if (!media || !shown) return;
  $("clock").textContent = label(media.currentTime);
  const ms = media.currentTime * 1000 + 1;
  let current = null;
  for (const li of $("transcript").children) {
    const is = ms >= +li.dataset.from && ms < +li.dataset.to;
    if (is && !current) current = li;
    if (is) li.setAttribute("aria-current", "true"); else li.removeAttribute("aria-current");
  }
  if (current && current !== shown.line && !$("transcript").matches(":focus-within")) {
    const list = $("transcript");
    list.scrollTop = current.offsetTop - list.offsetTop - list.clientHeight / 3;
  }
  shown.line = current;
}

function mark(which) {
  const media = player();
  if (!media) return;
  marks[which] = media.currentTime;
  if (marks.in !== null && marks.out !== null && marks.out < marks.in) marks[which === "in" ? "out" : "in"] = null;
  range();
}

function range() {
  const text = [marks.in, marks.out].map((s) => (s === null ? "--:--:--:--" : label(s))).join(" – ");
  $("range").textContent = shown ? text : "";
  $("copy").disabled = marks.in === null && marks.out === null;
}

async function copy() {
  if ($("copy").disabled) return;
  const text = [marks.in, marks.out].filter((s) => s !== null).map(label).join("\t");
  try { await navigator.clipboard.writeText(text); } catch {
    const box = make("textarea", {}, text);
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
  $("range").textContent = t.copied(text.replace("\t", " – "));
}

// Suggestions.
let typing = 0, chosen = -1;
function closeSuggestions() {
  $("suggestions").hidden = true;
  $("q").setAttribute("aria-expanded", "false");
  $("q").removeAttribute("aria-activedescendant");
  chosen = -1;
}
function choose(n) {
  const all = [...$("suggestions").children];
  chosen = (n + all.length) % all.length;
  all.forEach((li, at) => li.setAttribute("aria-selected", String(at === chosen)));
  $("q").setAttribute("aria-activedescendant", all[chosen].id);
}
function take(text) {
  const before = $("q").value, last = before.match(/\S*$/)[0];
  $("q").value = `${before.slice(0, before.length - last.length)}${/\s/.test(text) ? `"${text}"` : text} `;
  closeSuggestions();
  search();
}
async function suggest() {
  const turn = ++typing, last = $("q").value.match(/\S*$/)[0];
  if (last.length < 2 || /[:"*()]/.test(last)) return closeSuggestions();
  const answer = await get(`/suggest?${new URLSearchParams({ q: last })}`, { quiet: true }).catch(() => null);
  if (turn !== typing || !answer || document.activeElement !== $("q")) return;
  if (!answer.suggestions.length) return closeSuggestions();
  $("suggestions").replaceChildren(...answer.suggestions.map((s, n) =>
    make("li", { id: `s${n}`, role: "option", "aria-selected": "false", onmousedown: (e) => { e.preventDefault(); take(s.text); } }, s.text)));
  $("suggestions").hidden = false;
  $("q").setAttribute("aria-expanded", "true");
  chosen = -1;
}

let pause = 0;
$("q").addEventListener("input", () => { clearTimeout(pause); pause = setTimeout(suggest, 120); });
$("q").addEventListener("blur", closeSuggestions);
$("q").addEventListener("keydown", (e) => {
  const open = !$("suggestions").hidden;
  if (e.key === "ArrowDown" && open) { e.preventDefault(); choose(chosen + 1); }
  else if (e.key === "ArrowUp" && open) { e.preventDefault(); choose(chosen < 0 ? -1 : chosen - 1); }
  else if (e.key === "Escape" && open) { e.preventDefault(); e.stopPropagation(); closeSuggestions(); }
  else if (e.key === "Enter" && open && chosen >= 0) { e.preventDefault(); take($("suggestions").children[chosen].textContent); }
  else if (e.key === "ArrowDown") { e.preventDefault(); $("results").querySelector(".open")?.focus(); }
});
$("form").addEventListener("submit", (e) => { e.preventDefault(); typing++; search(); });
$("sort").addEventListener("change", () => search());
$("meaning").addEventListener("change", () => search());
$("more").addEventListener("click", () => search(true));
$("close").addEventListener("click", hide);
$("in").addEventListener("click", () => mark("in"));
$("out").addEventListener("click", () => mark("out"));
$("copy").addEventListener("click", copy);
$("help").addEventListener("click", () => $("keyhelp").showModal());
$("tongue").addEventListener("change", () => { tongue = $("tongue").value; localStorage.setItem("tongue", tongue); speak(); search(); });

document.addEventListener("keydown", (e) => {
  if (document.querySelector("dialog[open]") || e.ctrlKey || e.metaKey || e.altKey) return;
  const writes = e.target.closest("input, select, textarea");
  const media = player();
  if (e.key === "Escape" && shown) return hide();
  if (writes) return;
  if (!shown) {
    if (e.key === "/") { e.preventDefault(); $("q").focus(); $("q").select(); }
    else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      const all = [...$("results").querySelectorAll(".open")], at = all.indexOf(document.activeElement);
      if (all.length) { e.preventDefault(); all[Math.min(all.length - 1, Math.max(0, at + (e.key === "ArrowDown" ? 1 : -1)))].focus(); }
    }
    return;
  }
  const frame = shown.hit.rate ? shown.hit.rate[1] / shown.hit.rate[0] : 0.04;
  const keys = {
    n: () => jump(shown.spot + 1), p: () => jump(shown.spot - 1), i: () => mark("in"), o: () => mark("out"), c: copy,
    ArrowLeft: () => media && go(media.currentTime - (e.shiftKey ? frame : 1)), ArrowRight: () => media && go(media.currentTime + (e.shiftKey ? frame : 1)),
    " ": () => media && (media.paused ? media.play().catch(() => {}) : media.pause()),
  };
  const act = keys[e.key.length === 1 ? e.key.toLowerCase() : e.key];
  if (!act || (e.key === " " && e.target.closest("button, summary")) || (e.key.startsWith("Arrow") && e.target.closest("video, audio"))) return;
  e.preventDefault();
  act();
});

// Who asks.
async function who() {
  const me = await get("/me", { quiet: true }).catch(() => null);
  $("signed").textContent = me ? t.signedin(me.name, me.role) : "";
  $("means").hidden = !me?.meaning;
  return me;
}
$("who").addEventListener("click", async () => { $("signin").showModal(); await who(); });
$("signclose").addEventListener("click", () => $("signin").close());
$("signform").addEventListener("submit", async (e) => {
  e.preventDefault();
  token = $("token").value.trim() || null;
  try {
    // Pictures and films are asked for by the browser itself: a cookie says for it who asks.
    await get("/session", { method: "POST", quiet: true });
    if (token) sessionStorage.setItem("token", token);
    await who();
    $("token").value = "";
    $("signin").close();
    search();
  } catch (problem) {
    token = sessionStorage.getItem("token");
    $("signed").textContent = problem.message;
  }
});
$("signout").addEventListener("click", async () => {
  await get("/session", { method: "DELETE", quiet: true }).catch(() => {});
  sessionStorage.removeItem("token");
  token = null;
  await who();
  search();
});

const place = new URLSearchParams(location.search);
$("q").value = place.get("q") ?? "";
$("sort").value = place.get("sort") ?? "";
$("meaning").checked = place.get("meaning") === "1";
labels = place.getAll("l").map((l) => [l.slice(0, l.indexOf("=")), l.slice(l.indexOf("=") + 1)]);
speak();
$("q").focus();
await who();
search();
