// Events: the list, and one of them explained.

import { element, facts, say, send, words } from "/dom.js";
import { shape } from "/stage.js";

const MOST_EVENTS = 200;
const ALARMS = new Set(["zone_entered", "line_crossed", "loitering", "left_behind", "taken_away"]);
const HIDDEN = new Set(["schema", "number", "picture", "snapshot", "clip", "text", "kind", "size"]);

const byId = (id) => document.getElementById(id);
let shown = null; // the event of the dialog

function sentence(event) {
  const parts = [words(event.kind)];
  if (event.zone !== null) parts.push(event.zone);
  if (event.direction !== null) parts.push(event.direction);
  if (event.count !== null) parts.push(`${event.count} in`);
  return parts.join(" · ");
}

export function forgetEvents() {
  byId("events").replaceChildren();
  byId("quiet").hidden = false;
}

export function showEvent(event) {
  const list = byId("events");
  const item = element("li", ALARMS.has(event.kind) && event.phase !== "end" ? "alarm" : "");
  const button = element("button");
  button.type = "button";
  if (event.picture) {
    const image = element("img", "picture");
    Object.assign(image, { src: path(event, "snapshot"), alt: "", loading: "lazy", width: 88, height: 66 });
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
  byId("quiet").hidden = true;
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
  say(part(".why"), event.text ?? "");
  say(part(".said"), "");
  say(part(".clip"), "");
  part(".evidence").hidden = part(".wrong").hidden = part("video").hidden = true;
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
    drawTrajectory(part(".trajectory svg"), event, found);
  }
  part(".wrong").hidden = !found.seen;
  part(".nobody").disabled = !found.kept || event.box === null;
  part(".other").disabled = !found.kept;
  if (!found.kept) say(part(".said"), "With --redact no frame is kept as it was.");
  else if (found.case) say(part(".said"), `It was kept in ${found.case}.`);
  part(".nobody").onclick = () => wrong(event, true);
  part(".other").onclick = () => wrong(event, false);
  part("video").hidden = !found.clip;
  if (found.clip) part("video").src = path(event, "clip");
  else if (event.clip !== null) {
    say(part(".clip"), "The clip is not there: it is still recorded, or was deleted. Open the event again later.");
  }
}

async function wrong(event, nobody) {
  const dialog = byId("detail");
  const found = await send(path(event, "wrong"), "POST", { nobody });
  if (shown === event) say(dialog.querySelector(".said"), found.error ?? `It was kept in ${found.case}.`);
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
