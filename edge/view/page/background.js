// The background of a camera: seen, learned anew, painted; and metres measured on it.

import { element, say, send } from "/dom.js";
import { Marks } from "/marks.js";

const PAINT =
  "Drag over what is not there any more, such as the ghost of somebody who walked away. The area is learned anew from the next two seconds: let nobody stand in it. By keyboard: arrows, space for each of two corners, Escape leaves it.";
const RENEW =
  "This replaces the whole background, also the one that is kept, and cannot be undone. For ten seconds the camera is looked at: people who walk through are left out, whoever or whatever stays all the time becomes a part of it.";
const MEASURE =
  "Click a point on the floor and give its distance: metres along the floor from the spot below the camera. Two are enough, one near and one far; a third says how large the error is. By keyboard: arrows, space.";

export class Background {
  constructor(name, article) {
    const section = article.querySelector("section.background");
    this.part = (selector) => section.querySelector(selector);
    this.place = `/cameras/${encodeURIComponent(name)}`;
    this.camera = null;
    this.number = 0; // of the background that is shown
    this.work = ""; // "renew", "paint" or "measure", while that is done
    this.points = [];
    this.marks = new Marks(this.part("svg"));
    this.part(".open").onclick = () => this.toggle();
    this.part(".renew").onclick = () => this.ask();
    this.part(".sure").onclick = () => this.renew();
    this.part(".paint").onclick = () => this.paint();
    this.part(".unpaint").onclick = () => this.unpaint();
    this.part(".measure").onclick = () => this.measure();
    this.part(".leave").onclick = () => this.quit();
    this.part("form").onsubmit = (event) => this.save(event);
    section.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.work) this.quit();
    });
  }

  get open() {
    return !this.part(".inside").hidden;
  }

  toggle() {
    this.part(".inside").hidden = this.open;
    this.part(".open").setAttribute("aria-expanded", this.open);
    this.number = 0;
    this.leave("");
    if (this.camera) this.take(this.camera);
  }

  take(camera) {
    const before = this.camera;
    this.camera = camera;
    const ready = camera.background !== undefined;
    this.part(".open").disabled = !ready;
    if (!this.open || !ready) return;
    if (camera.background !== this.number) {
      this.number = camera.background;
      this.part(".stage img").src = `${this.place}/background?${this.number}`;
      this.part(".confidence").src = `${this.place}/confidence?${this.number}`;
      this.marks.size(...camera.size);
    }
    const sure = `${Math.round(100 * camera.sure)} % of it is sure`;
    say(this.part(".age"), `In use for ${duration(camera.background_s)}; ${sure}`);
    const busy = camera.painting || camera.learning;
    this.part(".renew").disabled = camera.learning || !camera.learns || this.work !== "";
    this.part(".paint").disabled = busy || this.work !== "";
    this.part(".unpaint").disabled = busy || !camera.painted;
    this.part(".measure").disabled = this.work !== "" || camera.metres === null;
    if (camera.learning) this.tell("The scene is being learned anew, from ten seconds of it …");
    else if (camera.painting) this.tell("The area is being learned anew …");
    else if (before?.learning) this.tell("The scene was learned anew.");
    else if (before && (before.painting || before.painted !== camera.painted)) this.tell(camera.painted >= before.painted ? "The area is painted." : "It is as it was before.");
    else if (!this.work && !this.told) this.tell(hints(camera));
  }

  tell(text) {
    this.told = text;
    say(this.part(".told"), text);
  }

  begin(work, text) {
    this.work = work;
    this.part(".leave").hidden = false;
    for (const each of [".renew", ".paint", ".measure"]) this.part(each).disabled = true;
    this.tell(text);
  }

  leave(text) {
    this.work = "";
    this.points = [];
    this.marks.stop();
    this.part(".leave").hidden = this.part(".sure").hidden = this.part("form").hidden = true;
    this.part("ol").replaceChildren();
    for (const each of [".renew", ".paint", ".measure"]) this.part(each).disabled = false;
    this.tell(text);
    if (this.camera) this.take(this.camera);
  }

  /** Leave what is done, with the focus on what began it. */
  quit() {
    const begun = this.part(`.${this.work}`);
    this.leave("");
    begun.focus({ preventScroll: true });
  }

  /** A background that is good is not replaced by one click. */
  ask() {
    this.begin("renew", RENEW);
    this.part(".sure").hidden = false;
    this.part(".leave").focus({ preventScroll: true });
  }

  async renew() {
    this.leave("The scene is being learned anew, from ten seconds of it …");
    this.part(".renew").disabled = true;
    const found = await send(`${this.place}/confirm`, "POST");
    if (found.error) this.tell(found.error);
  }

  paint() {
    this.begin("paint", PAINT);
    this.marks.area(async (area) => {
      const found = await send(`${this.place}/repaint`, "POST", { area });
      this.leave(found.error ?? "The area is being learned anew …");
      this.part(".paint").focus({ preventScroll: true });
    });
  }

  async unpaint() {
    const found = await send(`${this.place}/repaint`, "DELETE");
    this.tell(found.error ?? "It is being taken back …");
  }

  // Metres ----------------------------------------------------------------------------------------

  measure() {
    this.begin("measure", MEASURE);
    this.part("form").hidden = false;
    this.marks.points((point) => this.add(point));
  }

  add(point) {
    const row = element("li");
    const label = element("label", "", "Metres from the spot below the camera ");
    const input = element("input");
    Object.assign(input, { type: "number", min: 0.1, max: 1000, step: "any", required: true, className: "metre" });
    label.append(input);
    const button = element("button", "", "Remove");
    button.type = "button";
    const added = { point, input };
    button.onclick = () => {
      this.points = this.points.filter((each) => each !== added);
      row.remove();
      this.tell(MEASURE);
      this.shown();
    };
    row.append(label, button);
    this.part("ol").append(row);
    this.points.push(added);
    this.tell(MEASURE); // what was refused before is another matter now
    this.shown();
    input.focus();
  }

  shown() {
    this.marks.mark(this.points.map(({ point }) => point));
    this.part(".save").disabled = this.points.length < 2;
  }

  async save(event) {
    event.preventDefault();
    const points = this.points.map(({ point: [x, y], input }) => [Math.min(x, 0.9999), Math.min(y, 0.9999), Number(input.value)]);
    const found = await send(`${this.place}/metres`, "PUT", { points, fov: Number(this.part(".fov").value) });
    if (found.error) this.tell(`Not saved: ${found.error}.`);
    else this.leave(`Saved, and in use in a moment: ${found.camera}. ${error(found)}`);
  }
}

function error({ median_error: median, worst_error: worst }) {
  if (median === null) return "The error is not known: it takes a third point to check it.";
  const percent = (share) => `${Math.round(100 * share)} %`;
  return `Points that were held back are ${percent(median)} off in the median, ${percent(worst)} at worst.`;
}

function hints(camera) {
  const told = [];
  if (!camera.learns) told.push("This is no live camera: its background is not learned anew.");
  if (camera.metres === null) told.push("Start with --metres FILE to measure metres.");
  else told.push(camera.metres ? "Metres are known." : "Metres are not known yet.");
  return told.join(" ");
}

function duration(seconds) {
  if (seconds < 90) return `${seconds} seconds`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds / 3600)} hours`;
}
