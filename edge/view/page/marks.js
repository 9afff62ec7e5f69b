// Points that are marked on a picture, by pointer or by keyboard.

import { shape } from "/stage.js";

const STEP = 0.01; // of the picture, by an arrow key; five times as much with shift
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const clamp = (value) => Math.min(1, Math.max(0, value));

export class Marks {
  /** `svg` lies over the picture and has its pixels. */
  constructor(svg) {
    this.svg = svg;
    this.stop();
    svg.addEventListener("pointerdown", (event) => this.down(event));
    svg.addEventListener("pointermove", (event) => this.move(event));
    svg.addEventListener("pointerup", (event) => this.up(event));
    svg.addEventListener("keydown", (event) => this.key(event));
  }

  /** Mark two corners of an area, by dragging or with two points: `done` gets [left, top, right, bottom]. */
  area(done) {
    this.start("area", done, "Two corners of an area: arrow keys move the cross, space sets a corner");
  }

  /** Mark points, each told to `done`, until `stop`. */
  points(done) {
    this.start("points", done, "Points on the floor: arrow keys move the cross, space sets a point");
  }

  start(what, done, label) {
    Object.assign(this, { what, done, first: null, cross: [0.5, 0.5], marked: [] });
    this.svg.setAttribute("tabindex", 0);
    this.svg.setAttribute("role", "application");
    this.svg.setAttribute("aria-label", label);
    this.svg.classList.add("marking");
    this.svg.focus({ preventScroll: true });
    this.draw();
  }

  stop() {
    Object.assign(this, { what: null, done: null, first: null, cross: [0.5, 0.5], marked: [] });
    this.svg.setAttribute("tabindex", -1);
    this.svg.setAttribute("role", "img");
    this.svg.setAttribute("aria-label", "Nothing is marked");
    this.svg.classList.remove("marking");
    this.draw();
  }

  size(height, width) {
    this.height = height;
    this.width = width;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  }

  place(event) {
    const box = this.svg.getBoundingClientRect();
    return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
  }

  down(event) {
    if (!this.what || event.button) return;
    event.preventDefault();
    this.svg.focus({ preventScroll: true });
    this.cross = this.place(event);
    if (this.what === "area" && this.first === null) this.svg.setPointerCapture(event.pointerId);
    this.set();
  }

  move(event) {
    if (!this.what) return;
    this.cross = this.place(event);
    this.draw();
  }

  /** A drag ends the area; a click leaves its first corner set. */
  up(event) {
    if (this.what !== "area" || this.first === null) return;
    const place = this.place(event);
    if (Math.hypot(place[0] - this.first[0], place[1] - this.first[1]) < 0.01) return;
    this.cross = place;
    this.set();
  }

  key(event) {
    const arrow = ARROWS[event.key];
    if (!this.what || !(arrow || event.key === " ")) return;
    event.preventDefault();
    const step = STEP * (event.shiftKey ? 5 : 1);
    if (arrow) this.cross = this.cross.map((value, axis) => clamp(value + step * arrow[axis]));
    else this.set();
    this.draw();
  }

  set() {
    if (this.what === "points") this.done(this.cross);
    else if (this.first === null) this.first = this.cross;
    else {
      const [one, other, done] = [this.first, this.cross, this.done];
      this.stop();
      done([0, 1].map((axis) => Math.min(one[axis], other[axis])).concat([0, 1].map((axis) => Math.max(one[axis], other[axis]))));
    }
    this.draw();
  }

  /** Show points with their numbers. */
  mark(points) {
    this.marked = points;
    this.draw();
  }

  draw() {
    this.svg.replaceChildren();
    if (!this.what || !this.width) return;
    const pixels = ([x, y]) => [x * this.width, y * this.height];
    const unit = this.width / (this.svg.clientWidth || this.width);
    this.marked.forEach((point, index) => {
      const [x, y] = pixels(point);
      this.svg.append(
        shape("circle", { cx: x, cy: y, r: 6 * unit, class: "mark" }),
        shape("text", { x: x + 9 * unit, y: y - 6 * unit, "font-size": 15 * unit }, String(index + 1)),
      );
    });
    const [x, y] = pixels(this.cross);
    const arm = 12 * unit;
    if (this.first !== null) {
      const [left, top] = pixels([0, 1].map((axis) => Math.min(this.first[axis], this.cross[axis])));
      const [right, bottom] = pixels([0, 1].map((axis) => Math.max(this.first[axis], this.cross[axis])));
      this.svg.append(shape("rect", { x: left, y: top, width: right - left, height: bottom - top, class: "area" }));
    }
    this.svg.append(shape("path", { d: `M${x - arm} ${y}H${x + arm}M${x} ${y - arm}V${y + arm}`, class: "cross" }));
  }
}
