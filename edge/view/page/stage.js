// What is drawn over a picture: zones and tracks, as SVG in pixels of the camera's frames.

const NAMESPACE = "http://www.w3.org/2000/svg";
const LETTERS = 13; // height of a label in pixels of the page

/** Make an SVG element. Text only ever gets in as text. */
export function shape(name, attributes = {}, text = "") {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

export class Stage {
  constructor(article) {
    this.canvas = article.querySelector(".live canvas");
    this.depth = article.querySelector(".depth");
    this.svg = article.querySelector("svg");
    this.zones = this.svg.querySelector(".zones");
    this.tracks = this.svg.querySelector(".tracks");
    this.draft = this.svg.querySelector(".draft");
    this.size = null;
    this.resize([480, 640]); // until those of the camera are known
  }

  /** Take the height and width of the camera's frames; true where they are others than before. */
  resize(size) {
    if (String(size) === String(this.size)) return false;
    this.size = size;
    this.svg.setAttribute("viewBox", `0 0 ${size[1]} ${size[0]}`);
    this.svg.setAttribute("preserveAspectRatio", "none");
    for (const canvas of [this.canvas, this.depth.querySelector("canvas")]) {
      canvas.style.aspectRatio = `${size[1]} / ${size[0]}`;
    }
    return true;
  }

  /** Pixels of the camera's frames for one of the page. */
  get scale() {
    return this.size[1] / (this.svg.clientWidth || this.size[1]);
  }

  /** A point of the page as shares of the frame, 0 to 1. */
  place(event) {
    const box = this.svg.getBoundingClientRect();
    const share = (value) => Math.round(1e4 * Math.min(1, Math.max(0, value))) / 1e4;
    return [share((event.clientX - box.left) / box.width), share((event.clientY - box.top) / box.height)];
  }

  /** Shares of the frame as its pixels. */
  pixels([x, y]) {
    return [x * this.size[1], y * this.size[0]];
  }

  path(points) {
    return points.map((point) => this.pixels(point).join(",")).join(" ");
  }

  label(x, y, text) {
    const height = LETTERS * this.scale;
    const shown = shape("text", { x, y: Math.max(y - 0.4 * height, height), "font-size": height }, text);
    if (x > 0.7 * this.size[1]) shown.setAttribute("text-anchor", "end");
    return shown;
  }

  /** Draw zones; `resting` are the names of those outside their hours. */
  drawZones(zones, chosen, resting, add = () => {}) {
    this.zones.replaceChildren();
    zones.forEach((zone, index) => {
      const kind = zone.kind === "line" ? "polyline" : "polygon";
      const drawn = shape(kind, { points: this.path(zone.points), class: `zone ${zone.kind}` });
      drawn.classList.toggle("chosen", index === chosen);
      drawn.dataset.zone = index;
      const top = zone.points.reduce((a, b) => (b[1] < a[1] ? b : a));
      const rests = resting.includes(zone.name);
      drawn.classList.toggle("resting", rests);
      const label = this.label(...this.pixels(top), rests ? `${zone.name} (outside its hours)` : zone.name);
      this.zones.append(drawn, label, ...(zone.kind === "line" ? this.ways(zone) : []));
    });
    add(this.zones);
  }

  /** Arrows across the longest part of a line, to the sides that its two directions name. */
  ways({ points, directions }) {
    const corners = points.map((point) => this.pixels(point));
    const parts = corners.slice(1).map((end, index) => [corners[index], end]);
    const length = ([a, b]) => Math.hypot(b[0] - a[0], b[1] - a[1]);
    const longest = parts.reduce((a, b) => (length(b) > length(a) ? b : a));
    const [a, b] = longest;
    const far = Math.max(length(longest), 1e-6);
    // To the right as seen from the beginning to the end; y goes down.
    const right = [(a[1] - b[1]) / far, (b[0] - a[0]) / far];
    const middle = [0, 1].map((axis) => (a[axis] + b[axis]) / 2);
    return (directions ?? ["right", "left"]).flatMap((name, way) => {
      const [x, y] = right.map((share) => (way ? -share : share) * this.scale);
      const at = (along, aside) => [middle[0] + along * x - aside * y, middle[1] + along * y + aside * x];
      const [tip, one, other] = [at(26, 0), at(19, 5), at(19, -5)];
      const [left, top] = at(32, 0);
      const height = 0.85 * LETTERS * this.scale;
      const half = 0.32 * height * name.length; // of the label, about
      const aside = Math.abs(x) < 0.4 * this.scale ? 0 : Math.sign(x);
      const inside = Math.max(half, Math.min(this.size[1] - half, left + aside * half));
      const below = 0.35 + 0.5 * Math.sign(Math.round(y / this.scale));
      const place = { x: inside, y: top + below * height, "font-size": height, "text-anchor": "middle" };
      return [
        shape("path", { d: `M${at(4, 0)}L${tip}M${one}L${tip}L${other}`, class: "way" }),
        shape("text", place, name),
      ];
    });
  }

  drawTracks(tracks) {
    const drawn = tracks.flatMap(({ number, seen, box: [x, y, width, height], foot }) => [
      shape("rect", { x, y, width, height, class: seen ? "track" : "track hidden" }),
      this.label(x, y, String(number)),
      ...(foot ? [shape("circle", { cx: foot[0], cy: foot[1], r: 3 * this.scale, class: "foot" })] : []),
    ]);
    this.tracks.replaceChildren(...drawn);
  }

  /** Show a picture; it is closed. */
  show(picture) {
    draw(this.canvas, picture);
  }

  showDepth(picture) {
    this.depth.hidden = false;
    draw(this.depth.querySelector("canvas"), picture);
  }
}

function draw(canvas, picture) {
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  canvas.getContext("2d").drawImage(picture, 0, 0);
  picture.close();
}
