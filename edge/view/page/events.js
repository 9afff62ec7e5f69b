// Events: the list, and one of them explained.

import { element, facts, say, send, words } from "/dom.js";
import { shape } from "/stage.js";

const MOST_EVENTS = 200;
const ALARMS = new Set(["zone_entered", "line_crossed", "loitering", "left_behind", "taken_away"]);
const HIDDEN = new Set(["schema", "number", "picture", "snapshot", "clip", "text", "kind", "size"]);

const byId = (id) => document.getElementById(id);
const list = byId("events");
let shown = null; // the event of the dialog
let held = []; // events that came while somebody was at the list, the oldest first

function sentence(event) {
  const parts = [words(event.kind)];
  if (event.zone !== null) parts.push(event.zone);
  if (event.direction !== null) parts.push(event.direction);
  if (event.count !== null) parts.push(`${event.count} in`);
  return parts.join(" · ");
}

const isAlarm = (event) => ALARMS.has(event.kind) && event.phase !== "end";

export function forgetEvents() {
  list.replaceChildren();
  held = [];
  count();
}

/** Show an event; while somebody is at the list nothing moves there. */
export function showEvent(event) {
  if (isUsed()) held = [...held, event].slice(-MOST_EVENTS);
  else insert(event);
  count();
}

function isUsed() {
  return list.matches(":hover") || list.contains(document.activeElement);
}

function release() {
  held.forEach(insert);
  held = [];
  count();
}

/** Say how many events wait, and that there are none where there are none. */
function count() {
  const waiting = byId("alarms").checked ? held.filter(isAlarm).length : held.length;
  byId("new").hidden = !waiting;
  say(byId("new"), `${waiting} new`);
  byId("quiet").hidden = list.querySelector(byId("alarms").checked ? ".alarm" : "li") !== null;
  say(byId("quiet"), byId("alarms").checked ? "No alarm yet." : "Nothing has happened yet.");
}

byId("new").onclick = release;
byId("alarms").onchange = () => {
  list.classList.toggle("alarms", byId("alarms").checked);
  count();
};
for (const leaving of ["pointerleave", "focusout"]) {
  list.addEventListener(leaving, () => setTimeout(() => isUsed() || release()));
}

/** Fetch pictures again that could not be fetched while there was no connection. */
export function showPictures() {
  for (const image of list.querySelectorAll("img[hidden]")) {
    image.hidden = false;
    image.src = image.src;
  }
}

function insert(event) {
  const item = element("li", isAlarm(event) ? "alarm" : "");
  const button = element("button");
  button.type = "button";
  if (event.picture) {
    const image = element("img", "picture");
    Object.assign(image, { src: path(event, "snapshot"), alt: "", loading: "lazy", width: 88, height: 66 });
    image.onerror = () => (image.hidden = true);
    button.append(image);
  }
  const text = element("span", "words");
  text.append(element("strong", "", sentence(event)));
  const thing = event.track === null ? "" : ` · thing ${event.track}`;
  const phase = event.phase === "once" ? "" : ` · ${event.phase}`;
  text.append(element("small", "", `${clock(event.time)} · ${event.camera}${thing}${phase}`));
  button.append(text);
  button.onclick = () => explain(event);
  item.append(button);
  list.prepend(item);
  while (list.children.length > MOST_EVENTS) list.lastChild.remove();
}

function path(event, part) {
  return `/events/${encodeURIComponent(event.id)}/${part}`;
}

function clock(time) {
  return new Date(time).toLocaleTimeString();
}

byId("detail").addEventListener("close", () => {
  shown = null;
  byId("detail").querySelector("video").pause();
});

// Explained ---------------------------------------------------------------------------------------

async function explain(event) {
  const dialog = byId("detail");
  const part = (selector) => dialog.querySelector(selector);
  shown = event;
  part("h2").textContent = sentence(event);
  say(part(".when"), `${event.camera} · ${new Date(event.time).toLocaleString()}`);
  say(part(".why"), event.text ?? "");
  say(part(".said"), "");
  say(part(".clip"), "");
  part(".evidence").hidden = part(".wrong").hidden = part(".back").hidden = part("video").hidden = true;
  part("video").removeAttribute("src");
  facts(
    part("dl"),
    Object.entries(event)
      .filter(([key, value]) => value !== null && !HIDDEN.has(key))
      .map(([key, value]) => [words(key), Array.isArray(value) ? value.join(", ") : value]),
  );
  dialog.showModal();
  const found = await send(path(event, "explained"));
  if (shown !== event) return;
  say(part(".why"), found.error ?? found.why);
  if (found.error) return;
  part(".evidence").hidden = !found.seen;
  part(".deep").hidden = !found.depth;
  if (found.seen) {
    part(".frame img").src = path(event, "snapshot");
    part(".trajectory img").src = path(event, "background");
    part(".mask img").src = path(event, "mask");
    const [height, width] = event.size ?? [3, 4];
    for (const image of [part(".mask img"), part(".deep img")]) image.style.aspectRatio = `${width} / ${height}`;
    if (found.depth) part(".deep img").src = path(event, "depth");
    drawThing(part(".frame svg"), part(".frame figcaption"), event);
    drawTrajectory(part(".trajectory svg"), event, found);
  }
  part(".wrong").hidden = !found.seen;
  part(".nobody").disabled = !found.kept || event.box === null;
  part(".other").disabled = !found.kept;
  if (!found.kept) say(part(".said"), "With --redact no frame is kept as it was.");
  else if (found.case) said(found);
  part(".nobody").onclick = () => wrong(event, true);
  part(".other").onclick = () => wrong(event, false);
  part(".back").onclick = () => takeBack(event);
  part("video").hidden = !found.clip;
  if (found.clip) part("video").src = path(event, "clip");
  else if (event.clip !== null) {
    say(part(".clip"), "The clip is not there: it is still recorded, or was deleted. Open the event again later.");
  }
}

async function wrong(event, nobody) {
  const found = await send(path(event, "wrong"), "POST", { nobody });
  if (shown === event) said(found);
}

async function takeBack(event) {
  const found = await send(path(event, "wrong"), "DELETE");
  if (shown !== event) return;
  if (!found.error) byId("detail").querySelector(".other").focus();
  said(found);
}

/** Say where a case is and what comes next: { error }, { case, nobody }, or {} where it was taken back. */
function said({ error, case: place, nobody }) {
  const dialog = byId("detail");
  const look = place && `edge dataset show ${quoted(place.slice(0, place.lastIndexOf("/")))} --out cases.jpg`;
  const kept = nobody
    ? `It was kept in ${place}, labelled: nothing is left to do. To see all cases: ${look}`
    : `It was kept in ${place}, and waits for its label. Next: edit mask.png there with any image editor (white: what is new; black: what is not; grey 170: unknown), and save it there as groundtruth/000001.png. Then look: ${look}`;
  say(dialog.querySelector(".said"), error ?? (place ? kept : "It was taken back; nothing is kept."));
  if (!error) dialog.querySelector(".back").hidden = !place;
}

/** A path as a shell takes it. */
function quoted(text) {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Mark the thing of an event on its frame, with its number. */
function drawThing(svg, caption, event) {
  svg.replaceChildren();
  const { box, size, track, phase } = event;
  const name = track === null ? "it" : `thing ${track}`;
  const where = phase === "end" ? `${name} was last seen` : `${name} was`;
  caption.textContent = box && size ? `The frame, mask outlined; the yellow box is where ${where}` : "The frame, mask outlined";
  if (!box || !size) return;
  const [[x, y, width, height], unit] = [box, size[1] / 40];
  svg.setAttribute("viewBox", `0 0 ${size[1]} ${size[0]}`);
  svg.append(shape("rect", { x, y, width, height, class: "thing" }));
  const top = y > 1.3 * unit ? y - 0.3 * unit : y + unit;
  if (track !== null) svg.append(shape("text", { x, y: top, "font-size": unit }, String(track)));
}

/** Where a thing went, in pixels of the camera's frames, and the zone or line of the event. */
function drawTrajectory(svg, event, { trajectory, outline }) {
  svg.replaceChildren();
  if (event.size === null) return;
  const [height, width] = event.size;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-label", `${trajectory.length} points of its trajectory`);
  if (outline) {
    const corners = outline.map(([x, y]) => `${x * width},${y * height}`).join(" ");
    svg.append(shape(event.kind === "line_crossed" ? "polyline" : "polygon", { points: corners, class: "where" }));
  }
  const points = event.foot === null ? trajectory : [...trajectory, event.foot];
  svg.append(shape("polyline", { points: points.map((point) => point.join(",")).join(" "), class: "passed" }));
  const end = points.at(-1);
  if (end) svg.append(shape("circle", { cx: end[0], cy: end[1], r: width / 90, class: "here" }));
}
