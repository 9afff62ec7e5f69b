// The page: it asks for the state and for one picture of each camera after another.

import { Background } from "/background.js";
import { facts, say, words } from "/dom.js";
import { Editor } from "/editor.js";
import { forgetEvents, showEvent, showPictures } from "/events.js";
import { Stage } from "/stage.js";

const SILENCE_MS = 8000; // without a message after which the connection is given up
const RETRY_MS = [500, 1000, 2000, 5000];
const UNSEEN = ["lost", "frozen"]; // while there are no new pictures
const UNFITTING = ["camera_moved", "scene_changed"]; // until the scene is learned anew

const byId = (id) => document.getElementById(id);
const cameras = new Map();
let socket = null;
let attempts = 0;
let live = false;
let heard = 0;
let run = null;
let last = 0;

// Connection --------------------------------------------------------------------------------------

function connect() {
  const mine = (socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`));
  mine.binaryType = "arraybuffer";
  heard = Date.now();
  mine.onopen = () => {
    ask({ state: run === null ? 0 : last });
    for (const camera of cameras.values()) camera.ask();
  };
  mine.onmessage = ({ data }) => {
    heard = Date.now();
    if (!live) {
      [live, attempts] = [true, 0]; // one page too many is let in only to be told so
      status("Live", false);
    }
    if (typeof data === "string") takeState(JSON.parse(data));
    else takePicture(data);
  };
  mine.onclose = (closed) => {
    if (mine !== socket) return;
    const wait = RETRY_MS[Math.min(attempts, RETRY_MS.length - 1)];
    attempts += 1;
    live = false;
    status(closed.reason ? `${closed.reason}; trying again …` : "The connection is lost; trying again …", true);
    setTimeout(reconnect, wait);
  };
}

/** The token may have changed meanwhile: then the page asks for it. */
async function reconnect() {
  try {
    const page = await fetch("/", { method: "HEAD" });
    if (page.status === 401) return location.reload();
  } catch {
    // not there yet
  }
  connect();
}

function ask(wish) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(wish));
}

function status(text, lost) {
  const shown = byId("connection");
  shown.textContent = text;
  shown.classList.toggle("lost", lost);
  document.body.classList.toggle("lost", lost);
  for (const camera of cameras.values()) camera.describe();
  if (!lost) showPictures();
}

setInterval(() => {
  if (socket?.readyState === WebSocket.OPEN && !document.hidden && Date.now() - heard > SILENCE_MS) socket.close();
}, 1000);

document.addEventListener("visibilitychange", () => {
  heard = Date.now();
  for (const camera of cameras.values()) camera.ask();
});

// Cameras -----------------------------------------------------------------------------------------

class Camera {
  constructor(name) {
    this.name = name;
    this.article = byId("camera").content.cloneNode(true).querySelector("article");
    this.article.querySelector("h2").textContent = name;
    this.article.querySelector(".confirm").onclick = ({ target }) => this.confirm(target);
    this.panel = new Background(name, this.article);
    this.stage = new Stage(this.article);
    this.empty = false;
    this.number = 0;
    this.camera = null; // its last state
    this.background = 0;
    this.asked = false;
    this.editor = new Editor(name, this.article, this.stage, (empty) => {
      this.empty = empty;
      this.describe();
      if (empty) this.showBackground();
    });
    new ResizeObserver(() => this.editor.render()).observe(this.stage.svg);
    byId("cameras").append(this.article);
    this.ask();
  }

  /** Ask for the next picture; a page that nobody sees asks for none. */
  ask() {
    if (!document.hidden) ask({ camera: this.name, number: this.number });
  }

  take(camera, kinds) {
    this.camera = camera;
    say(this.article.querySelector(".troubles"), [...camera.troubles.map(words), camera.ended].filter(Boolean).join(", "));
    say(this.article.querySelector(".phase"), phase(camera));
    const unfitting = camera.troubles.some((kind) => UNFITTING.includes(kind));
    const confirm = this.article.querySelector(".confirm");
    confirm.hidden = !unfitting;
    if (!unfitting) confirm.disabled = false;
    const figures = [
      ["Frames a second", camera.fps.toFixed(1)],
      ["From frame to mask", camera.latency_ms === null ? "–" : `${camera.latency_ms} ms`],
      ["Dropped", camera.dropped ?? 0],
      ["Background sure", camera.sure === undefined ? "–" : `${Math.round(100 * camera.sure)} %`],
      ["Share of the machine", camera.machine === null ? "–" : `${Math.round(100 * camera.machine)} %`],
    ];
    if (camera.drift != null) figures.push(["INT8 drift", `${(100 * camera.drift).toFixed(2)} %`]);
    if (camera.unreadable) figures.push(["Unreadable", camera.unreadable]);
    facts(this.article.querySelector(".figures"), figures, true);
    this.describe();
    const resized = camera.size && this.stage.resize(camera.size);
    if (resized) this.editor.render();
    if (camera.background !== undefined && camera.background !== this.background) {
      this.background = camera.background;
      if (this.empty || !this.number) this.showBackground();
    }
    this.panel.take(camera);
    this.editor.take(camera, kinds);
  }

  /** Say what the picture is, and whether it is one of now. */
  describe() {
    const lost = document.body.classList.contains("lost");
    const { open, troubles } = this.camera ?? { open: true, troubles: [] };
    const stale = lost || !open || troubles.some((kind) => UNSEEN.includes(kind));
    this.article.classList.toggle("stale", stale);
    let text = stale ? "The last picture, not of now" : "Live, mask outlined";
    if (this.empty) text = "The empty scene";
    else if (!this.number) text = "No picture yet";
    say(this.article.querySelector(".live figcaption"), text);
  }

  async confirm(button) {
    button.disabled = true; // until the background fits
    const answer = await fetch(`/cameras/${encodeURIComponent(this.name)}/confirm`, { method: "POST" }).catch(() => null);
    if (!answer?.ok) button.disabled = false;
  }

  async showBackground() {
    try {
      const answer = await fetch(`/cameras/${encodeURIComponent(this.name)}/background`);
      if (answer.ok && (this.empty || !this.number)) this.stage.show(await createImageBitmap(await answer.blob()));
    } catch {
      // the status says that there is no connection
    }
  }

  async picture(header, frame, depth) {
    const first = !this.number;
    this.number = header.number;
    this.ask();
    if (first) this.describe();
    const [image, deep] = await Promise.all([createImageBitmap(frame), depth.size ? createImageBitmap(depth) : null]);
    if (this.stage.resize(header.size)) this.editor.render();
    if (this.empty) image.close();
    else {
      this.stage.show(image);
      this.stage.drawTracks(header.tracks);
    }
    if (deep) this.stage.showDepth(deep);
    else this.stage.depth.hidden = true;
  }
}

/** What goes on with a camera that is not watched now. */
function phase({ open, ended, troubles }) {
  if (open) return "";
  if (ended === "") return "ended";
  if (ended !== null) return "is not watched any more";
  if (troubles.includes("lost")) return "tried again until it is there";
  return "being opened: its background is made where none is given or kept, which may take some minutes";
}

async function takePicture(data) {
  const length = new DataView(data).getUint32(0);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  const [begin, end] = [4 + length, 4 + length + header.frame];
  const jpeg = (from, to) => new Blob([data.slice(from, to)], { type: "image/jpeg" });
  await cameras.get(header.camera)?.picture(header, jpeg(begin, end), jpeg(end));
}

function takeState(state) {
  if (run !== null && run !== state.run) {
    // Another run of the program: its numbers begin anew.
    forgetEvents();
    for (const camera of cameras.values()) camera.number = 0;
    const before = last;
    last = 0;
    run = state.run;
    if (before) return ask({ state: 0 });
  }
  run = state.run;
  const names = state.cameras.map((camera) => camera.name);
  for (const [name, camera] of cameras) {
    if (!names.includes(name)) {
      camera.article.remove();
      cameras.delete(name);
    }
  }
  for (const camera of state.cameras) {
    if (!cameras.has(camera.name)) cameras.set(camera.name, new Camera(camera.name));
    cameras.get(camera.name).take(camera, state.kinds);
  }
  state.events.filter((event) => event.number > last).forEach(showEvent);
  last = state.last;
  ask({ state: last });
}

connect();
