// The depths of the ground that a zone has: chosen by a click on the nearest and on the farthest point.

const AROUND = 0.04; // share of its depth around a point that lights up before the first click

const TYPED = /^(\d*\.?\d+)\s*(?:[-–]|to)\s*(\d*\.?\d+)$/;

/** [lowest, highest] as somebody typed it; null where that is no interval of 0 to 1. */
export function typed(text) {
  const bounds = (text.match(TYPED) ?? []).slice(1).map(Number);
  return bounds.length && bounds[0] < bounds[1] && bounds[1] <= 1 ? bounds : null;
}

export class Interval {
  /** `points` are those of the zone; `done` gets [lowest, highest] inverse depth, near is large. */
  constructor(camera, stage, points, done) {
    Object.assign(this, { camera, stage, points, done, first: null, mark: null, depth: null });
    this.canvas = stage.svg.parentElement.querySelector(".lit");
  }

  /** Fetch the depth of the ground; false where it is unknown. */
  async open() {
    const answer = await fetch(`/cameras/${encodeURIComponent(this.camera)}/ground`);
    if (!answer.ok) return false;
    const values = new Uint16Array(await answer.arrayBuffer());
    [this.canvas.height, this.canvas.width] = values;
    this.depth = values.subarray(2);
    this.canvas.hidden = false;
    return true;
  }

  close() {
    this.canvas.hidden = true;
  }

  /** The depth at a point, 0 to 1. */
  at([x, y]) {
    const { width, height } = this.canvas;
    const [column, row] = [Math.min(width - 1, Math.floor(x * width)), Math.min(height - 1, Math.floor(y * height))];
    return this.depth[row * width + column] / 65535;
  }

  /** Light up the ground that is inside if the point is the second one. */
  move(place) {
    const here = this.at(place);
    const [low, high] = this.first === null ? [here * (1 - AROUND), here * (1 + AROUND)] : sorted(this.first, here);
    const { width, height } = this.canvas;
    const context = this.canvas.getContext("2d");
    const image = context.createImageData(width, height);
    const colours = new Uint32Array(image.data.buffer);
    for (let index = 0; index < colours.length; index += 1) {
      const depth = this.depth[index] / 65535;
      if (depth >= low && depth <= high) colours[index] = 0x9040d0ff; // yellow, as bytes A, B, G, R
    }
    context.putImageData(image, 0, 0);
    context.globalCompositeOperation = "destination-in"; // inside the zone only
    context.beginPath();
    for (const [x, y] of this.points) context.lineTo(x * width, y * height);
    context.fill();
    context.globalCompositeOperation = "source-over";
  }

  click(place) {
    const here = this.at(place);
    if (this.first === null) {
      this.first = here;
      this.mark = place;
      return;
    }
    const round = (value) => Math.round(1e3 * value) / 1e3;
    const [low, high] = sorted(this.first, here).map(round);
    this.close();
    this.done(low < high ? [low, high] : null);
  }
}

function sorted(one, other) {
  return one < other ? [one, other] : [other, one];
}
