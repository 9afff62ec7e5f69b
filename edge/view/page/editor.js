// Zones: drawn, moved, bent, named and deleted; every step is saved, and can be undone.

import { Interval, typed } from "/interval.js";
import { shape } from "/stage.js";

const STEP = 0.005; // of the frame, by an arrow key; ten times as much with shift
const STEPS = 100; // that can be undone
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const NO_INTERVAL =
  "Not saved: Depth is two numbers from 0 (far) to 1 (near), the smaller one first, such as 0.4 – 0.6; empty is any depth.";
const clamp = (value) => Math.round(1e4 * Math.min(1, Math.max(0, value))) / 1e4;
const copy = (zones) => JSON.parse(JSON.stringify(zones));

export class Editor {
  /** `show` is told when the empty scene is to be shown instead of live pictures. */
  constructor(name, article, stage, show) {
    Object.assign(this, { name, article, stage, show });
    this.zones = [];
    this.saved = [];
    this.version = null;
    this.former = [];
    this.chosen = -1;
    this.kinds = {};
    this.resting = []; // names of the zones outside their hours
    this.editing = false;
    this.draft = null; // { line, points, cross }
    this.drag = null;
    this.interval = null; // the depths of a zone, while they are chosen
    this.saving = Promise.resolve();
    this.waiting = 0;
    this.part = (selector) => article.querySelector(selector);
    this.svg = stage.svg;
    this.part(".edit").onclick = () => this.toggle();
    this.part(".polygon").onclick = () => this.begin(false);
    this.part(".line").onclick = () => this.begin(true);
    this.part(".undo").onclick = () => this.undo();
    this.part(".empty").onchange = () => this.shown();
    this.svg.addEventListener("pointerdown", (event) => this.down(event));
    this.svg.addEventListener("pointermove", (event) => this.move(event));
    this.svg.addEventListener("pointerup", (event) => this.up(event));
    this.svg.addEventListener("pointercancel", () => this.cancel());
    this.svg.addEventListener("dblclick", () => this.finish());
    article.addEventListener("keydown", (event) => this.key(event));
  }

  /** Take the zones of the file, unless somebody is at work on them here. */
  take(camera, kinds) {
    this.kinds = kinds;
    const edit = this.part(".edit");
    edit.disabled = camera.zones === null;
    if (camera.zones === null) {
      this.say(camera.zones_error ?? "Start with --zones FILE to draw zones.", !camera.zones_error);
      return;
    }
    this.part(".broken").textContent = camera.zones_error
      ? `Somebody else wrote a file of zones that is wrong; the zones stay as they were. ${camera.zones_error}`
      : "";
    if (String(camera.resting) !== String(this.resting)) {
      this.resting = camera.resting;
      this.render();
    }
    if (camera.version === this.version || this.drag || this.waiting) return;
    if (this.version !== null) this.former = [];
    this.version = camera.version;
    this.zones = camera.zones;
    this.saved = copy(camera.zones);
    this.render();
  }

  say(text, plain = false) {
    const message = this.part(".message");
    message.classList.toggle("plain", plain);
    if (message.textContent !== text) message.textContent = text;
  }

  toggle() {
    this.editing = !this.editing;
    this.cancel();
    this.chosen = -1;
    this.part(".edit").setAttribute("aria-pressed", this.editing);
    this.part(".edit").textContent = this.editing ? "Done" : "Edit zones";
    this.part(".while").hidden = this.part(".rows").hidden = !this.editing;
    this.article.classList.toggle("editing", this.editing);
    this.say("");
    this.shown();
    this.render();
  }

  shown() {
    this.show(this.editing && this.part(".empty").checked);
  }

  // Drawing ---------------------------------------------------------------------------------------

  begin(line) {
    this.cancel();
    this.draft = { line, points: [], cross: [0.5, 0.5] };
    this.chosen = -1;
    this.render();
    this.svg.focus();
    this.explain();
  }

  /** Say how a draft goes on. */
  explain() {
    const most = this.draft.line ? "" : " or the first point";
    this.say(
      `Click the points; Enter${most} or a double click ends, Escape leaves it. By keyboard: arrows, space, Enter.`,
      true,
    );
  }

  point(place) {
    const { points, line } = this.draft;
    const near = (other) =>
      Math.hypot(...[0, 1].map((axis) => (other[axis] - place[axis]) * this.svg.getBoundingClientRect()[axis ? "height" : "width"])) < 10;
    if (!line && points.length > 2 && near(points[0])) return this.finish();
    if (!points.length || !near(points.at(-1))) {
      points.push(place);
      this.explain();
    }
    this.drawDraft();
  }

  finish() {
    if (!this.draft) return;
    const { line, points } = this.draft;
    if (points.length < (line ? 2 : 3)) {
      this.say(`${points.length} points, expected ${line ? 2 : 3} or more.`);
      return;
    }
    this.draft = null;
    const names = this.zones.map((zone) => zone.name);
    const base = line ? "line" : "zone";
    let number = 1;
    while (names.includes(`${base} ${number}`)) number += 1;
    const zone = { name: `${base} ${number}`, kind: line ? "line" : "restricted", points };
    this.chosen = this.zones.length;
    this.commit([...this.zones, zone]);
    this.part(".rows li:last-child input")?.select();
  }

  // Depth -----------------------------------------------------------------------------------------

  async measure(index) {
    this.cancel();
    this.choose(index);
    const interval = new Interval(this.name, this.stage, this.zones[index].points, (depth) => {
      this.measured();
      if (depth) this.change(index, (edited) => (edited.depth = depth));
      else this.say("Both points are equally far: nothing was changed.");
    });
    if (!(await interval.open().catch(() => false))) {
      this.say("The depth of this scene is not known.");
      return;
    }
    this.interval = interval;
    this.article.classList.add("measuring");
    this.say("Click the nearest and the farthest point of the ground that belongs to the zone; Escape leaves it.", true);
  }

  measured() {
    this.interval?.close();
    this.interval = null;
    this.article.classList.remove("measuring");
    this.drawDraft();
    this.say("");
  }

  // Pointer and keys ------------------------------------------------------------------------------

  down(event) {
    if (!this.editing || event.button) return;
    const place = this.stage.place(event);
    if (this.interval) {
      event.preventDefault();
      this.interval.click(place);
      if (this.interval) {
        this.say("The first one is marked. Click the point at the other end of the zone; Escape leaves it.", true);
        this.drawDraft();
      }
      return;
    }
    if (this.draft) {
      event.preventDefault();
      this.svg.focus();
      this.point(place);
      return;
    }
    this.say("");
    const { zone, point, middle } = event.target.dataset;
    if (zone === undefined) {
      this.choose(-1);
      return;
    }
    event.preventDefault();
    this.svg.setPointerCapture(event.pointerId);
    this.choose(Number(zone));
    const before = copy(this.zones);
    const points = this.zones[this.chosen].points;
    let index = point === undefined ? -1 : Number(point);
    if (middle !== undefined) {
      index = Number(middle) + 1;
      points.splice(index, 0, place);
    }
    this.drag = { index, before, from: place, points: copy(points), moved: middle !== undefined };
    this.render();
    if (index >= 0) this.handle(index)?.focus();
  }

  move(event) {
    const place = this.stage.place(event);
    this.interval?.move(place);
    if (this.draft) {
      this.draft.cross = place;
      this.drawDraft();
    }
    if (!this.drag) return;
    const { index, from, points } = this.drag;
    const by = [place[0] - from[0], place[1] - from[1]];
    if (Math.hypot(...by) > 0.002) this.drag.moved = true;
    if (this.drag.moved) this.zones[this.chosen].points = shifted(points, index, by);
    this.drawZones();
  }

  up() {
    if (!this.drag) return;
    const { before, moved } = this.drag;
    this.drag = null;
    const zones = this.zones;
    this.zones = before;
    if (moved) this.commit(zones);
    else this.render();
  }

  cancel() {
    if (this.drag) this.zones = this.drag.before;
    this.drag = this.draft = null;
    this.measured();
    this.render();
  }

  key(event) {
    if (!this.editing) return;
    const typing = event.target.matches("input:not([type=checkbox]), select");
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !typing) {
      event.preventDefault();
      this.undo();
      return;
    }
    if (event.key === "Escape") return this.cancel();
    const arrow = ARROWS[event.key];
    const step = STEP * (event.shiftKey ? 10 : 1);
    const { zone, point } = event.target.dataset;
    if (this.draft && event.target === this.svg) {
      const { draft } = this;
      if (arrow) draft.cross = draft.cross.map((value, axis) => clamp(value + step * arrow[axis]));
      else if (event.key === " ") this.point(draft.cross);
      else if (event.key === "Enter") this.finish();
      else return;
      event.preventDefault();
      if (this.draft) this.drawDraft();
    } else if (point !== undefined) {
      const zones = copy(this.zones);
      const { points, kind, name } = zones[zone];
      const least = kind === "line" ? 2 : 3;
      if (!arrow && event.key !== "Delete") return;
      event.preventDefault();
      if (arrow) zones[zone].points = shifted(points, Number(point), arrow.map((value) => value * step));
      else if (points.length > least) points.splice(point, 1);
      else return this.say(`${name} keeps ${least} points at least; its Delete below removes all of it.`);
      this.commit(zones);
      this.handle(Math.min(point, points.length - 1))?.focus(); // the one that was deleted has no focus
    }
  }

  choose(index) {
    if (index === this.chosen) return;
    this.chosen = index;
    this.drawZones();
    this.drawRows();
  }

  handle(index) {
    return this.svg.querySelector(`.handle[data-point="${index}"]`);
  }

  // Saving ----------------------------------------------------------------------------------------

  /** Take over zones and save them; what the server refuses is taken back, with its reason. */
  commit(zones, undoing = false) {
    if (!undoing) this.former = [...this.former, copy(this.zones)].slice(-STEPS);
    this.zones = zones;
    this.chosen = Math.min(this.chosen, zones.length - 1);
    this.say("");
    this.render();
    this.waiting += 1;
    const content = copy(zones);
    this.saving = this.saving.then(() => this.save(content)).finally(() => (this.waiting -= 1));
  }

  undo() {
    if (this.draft || this.interval) return this.cancel();
    const former = this.former.pop();
    if (former) this.commit(former, true);
  }

  async save(zones) {
    let answer, found;
    try {
      answer = await fetch(`/cameras/${encodeURIComponent(this.name)}/zones`, {
        method: "PUT",
        headers: { "If-Match": `"${this.version}"` },
        body: JSON.stringify({ schema: 1, zones }),
      });
      found = await answer.json();
    } catch {
      found = { error: "Not saved: there is no connection." };
    }
    if (answer?.ok) {
      this.version = found.version;
      this.saved = copy(zones);
      if (!this.draft && !this.interval && this.waiting === 1) this.say("Saved.", true);
      return;
    }
    this.say(found.error);
    this.former = [];
    this.zones = copy(this.saved);
    this.version = answer?.status === 412 ? "" : this.version;
    const inside = this.article.contains(document.activeElement);
    this.render();
    if (inside && document.activeElement === document.body) this.part(".edit").focus({ preventScroll: true });
  }

  // What is seen ----------------------------------------------------------------------------------

  render() {
    const focus = document.activeElement;
    const key = focus?.dataset?.key;
    const inside = key && this.article.contains(focus);
    this.article.classList.toggle("drawing", this.draft !== null);
    this.svg.setAttribute("tabindex", this.draft ? 0 : -1);
    this.svg.setAttribute("role", this.draft ? "application" : "group");
    this.svg.setAttribute("aria-label", this.draft ? "Drawing area" : `Zones of ${this.name}`);
    this.part(".undo").disabled = !this.former.length && !this.draft;
    this.drawZones();
    this.drawDraft();
    this.drawRows();
    if (inside) this.article.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  }

  drawZones() {
    this.stage.drawZones(this.zones, this.editing ? this.chosen : -1, this.resting, (group) => {
      const zone = this.editing && !this.draft && this.zones[this.chosen];
      if (!zone) return;
      const count = zone.points.length;
      zone.points.forEach((point, index) => {
        const [x, y] = this.stage.pixels(point);
        if (index + 1 < count || zone.kind !== "line") {
          const [nextX, nextY] = this.stage.pixels(zone.points[(index + 1) % count]);
          const middle = shape("circle", { cx: (x + nextX) / 2, cy: (y + nextY) / 2, r: 6 * this.stage.scale, class: "middle" });
          Object.assign(middle.dataset, { zone: this.chosen, middle: index });
          group.append(middle);
        }
        const handle = shape("circle", {
          cx: x, cy: y, r: 8 * this.stage.scale, class: "handle", tabindex: 0, role: "button",
          "aria-label": `Point ${index + 1} of ${zone.name}: arrow keys move it, Delete removes it`,
        });
        Object.assign(handle.dataset, { zone: this.chosen, point: index, key: `point ${index}` });
        group.append(handle);
      });
    });
  }

  drawDraft() {
    const group = this.stage.draft;
    group.replaceChildren();
    const dot = (point) => {
      const [cx, cy] = this.stage.pixels(point);
      group.append(shape("circle", { cx, cy, r: 5 * this.stage.scale, class: "handle" }));
    };
    if (this.interval?.mark) dot(this.interval.mark);
    if (!this.draft) return;
    const { points, cross } = this.draft;
    group.append(shape("polyline", { points: this.stage.path([...points, cross]) }));
    points.forEach(dot);
    const [x, y] = this.stage.pixels(cross);
    const arm = 12 * this.stage.scale;
    group.append(shape("path", { d: `M${x - arm} ${y}H${x + arm}M${x} ${y - arm}V${y + arm}`, class: "cross" }));
  }

  /** Rows are made anew when zones come or go only: whoever is about to click or type in one goes on. */
  drawRows() {
    const rows = this.part(".rows");
    const kinds = this.editing ? this.zones.map((zone) => zone.kind).join() : "";
    if (kinds !== this.kindsShown) {
      this.kindsShown = kinds;
      rows.replaceChildren(...(this.editing ? this.zones.map((zone, index) => this.row(zone, index)) : []));
    }
    [...rows.children].forEach((row, index) => {
      row.classList.toggle("chosen", index === this.chosen);
      row.fill(this.zones[index]);
    });
  }

  row(zone, index) {
    const row = document.createElement("li");
    row.className = zone.kind;
    row.addEventListener("focusin", () => this.choose(index));
    const filled = [];
    row.fill = (now) => {
      for (const [input, value] of filled) {
        if (input !== document.activeElement || input.was !== value(now)) input.value = input.was = value(now);
      }
    };
    const field = (label, key, value, change, placeholder = "", wrong = () => "") => {
      const input = document.createElement("input");
      Object.assign(input, { spellcheck: false, maxLength: 200, placeholder });
      filled.push([input, value]);
      input.dataset.key = `${key} ${index}`;
      input.onchange = () => {
        const text = input.value.trim();
        const why = wrong(text);
        if (!why) return this.change(index, (edited) => change(edited, text));
        this.say(why);
        input.value = input.was;
      };
      return labelled(label, input);
    };
    row.append(field("Name", "name", (now) => now.name, (edited, text) => (edited.name = text)));
    if (zone.kind === "line") {
      const names = (now) => now.directions ?? ["right", "left"];
      ["To the right", "To the left"].forEach((label, way) =>
        row.append(
          field(label, `way ${way}`, (now) => names(now)[way], (edited, text) => {
            edited.directions = names(edited).map((name, each) => (each === way ? text : name));
          }),
        ),
      );
    } else {
      const select = document.createElement("select");
      select.dataset.key = `kind ${index}`;
      for (const kind of Object.keys(this.kinds)) {
        if (kind !== "line") select.append(new Option(kind, kind, false, kind === zone.kind));
      }
      select.onchange = () =>
        this.change(index, (edited) => {
          edited.kind = select.value;
          for (const key of this.kinds[select.value]) delete edited[key];
        });
      row.append(labelled("Kind", select));
    }
    row.append(
      field("Hours", "hours", (now) => (now.hours ?? []).join(", "), (edited, text) => {
        if (text) edited.hours = text.split(",").map((each) => each.trim());
        else delete edited.hours;
      }, "e.g. 22:00-06:00"),
    );
    row.append(
      field("Depth", "depth", (now) => (now.depth ?? []).join(" – "), (edited, text) => {
        if (text) edited.depth = typed(text);
        else delete edited.depth;
      }, "e.g. 0.4 – 0.6", (text) => (text && !typed(text) ? NO_INTERVAL : "")),
    );
    const button = (text, className, click) => {
      const made = document.createElement("button");
      Object.assign(made, { type: "button", textContent: text, className, onclick: click });
      row.append(made);
    };
    if (zone.kind !== "line") button("Click the depth", "measure", () => this.measure(index));
    button("Delete", "delete", () => {
      this.cancel();
      this.chosen = -1;
      this.commit(this.zones.filter((_, other) => other !== index));
      this.part(".undo").focus();
    });
    return row;
  }

  change(index, edit) {
    const zones = copy(this.zones);
    edit(zones[index]);
    this.commit(zones);
  }
}

/** Points of which one, or with -1 all, are shifted and stay inside the frame. */
function shifted(points, index, by) {
  if (index >= 0) {
    return points.map((point, each) => (each === index ? point.map((value, axis) => clamp(value + by[axis])) : point));
  }
  const inside = by.map((value, axis) => {
    const values = points.map((point) => point[axis]);
    return Math.min(1 - Math.max(...values), Math.max(-Math.min(...values), value));
  });
  return points.map((point) => point.map((value, axis) => clamp(value + inside[axis])));
}

function labelled(text, input) {
  const label = document.createElement("label");
  label.append(text, input);
  return label;
}
