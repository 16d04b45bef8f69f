// @ts-check
// One zoom for both panes: what the pointer is on in one is what one sees in the other.

const MOST_ZOOM = 16;

export class Zoom {
  /** @param {HTMLElement[]} frames @param {(scale: number) => void} onChange */
  constructor(frames, onChange) {
    this.frames = frames;
    this.onChange = onChange;
    /** @type {{ x: number, y: number } | null} where the pointer went down */
    this.drag = null;
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    for (const frame of frames) {
      frame.addEventListener("wheel", (event) => this.wheel(event, frame), { passive: false });
      frame.addEventListener("pointerdown", (event) => this.down(event, frame));
      frame.addEventListener("pointermove", (event) => this.move(event));
      for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, () => this.up(frame));
      frame.addEventListener("dblclick", (event) => this.toggle(event, frame));
    }
    this.reset();
  }

  reset() {
    this.scale = 1;
    this.x = this.y = 0;
    this.apply();
  }

  /** @param {WheelEvent} event @param {HTMLElement} frame */
  wheel(event, frame) {
    event.preventDefault();
    const box = frame.getBoundingClientRect();
    this.zoomAt(event.clientX - box.left, event.clientY - box.top, Math.exp(-event.deltaY * 0.002));
  }

  /** @param {MouseEvent} event @param {HTMLElement} frame */
  toggle(event, frame) {
    const box = frame.getBoundingClientRect();
    if (this.scale > 1) this.reset();
    else this.zoomAt(event.clientX - box.left, event.clientY - box.top, 3);
  }

  /** From the keyboard: about the middle of what is seen.
   *  @param {number} factor */
  zoomBy(factor) {
    const box = this.frames[0].getBoundingClientRect();
    this.zoomAt(box.width / 2, box.height / 2, factor);
  }

  /** Move what is zoomed by an eighth of a pane.
   *  @param {number} x @param {number} y */
  pan(x, y) {
    const box = this.frames[0].getBoundingClientRect();
    this.x += (x * box.width) / 8;
    this.y += (y * box.height) / 8;
    this.apply();
  }

  /** Scale by `factor` and keep the point under the pointer where it is.
   *  @param {number} px @param {number} py @param {number} factor */
  zoomAt(px, py, factor) {
    const scale = Math.min(MOST_ZOOM, Math.max(1, this.scale * factor));
    this.x = px - ((px - this.x) / this.scale) * scale;
    this.y = py - ((py - this.y) / this.scale) * scale;
    this.scale = scale;
    this.apply();
  }

  /** @param {PointerEvent} event @param {HTMLElement} frame */
  down(event, frame) {
    if (event.button !== 0 || this.scale === 1) return;
    this.drag = { x: event.clientX - this.x, y: event.clientY - this.y };
    frame.setPointerCapture(event.pointerId);
    frame.classList.add("dragging");
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (!this.drag) return;
    this.x = event.clientX - this.drag.x;
    this.y = event.clientY - this.drag.y;
    this.apply();
  }

  /** @param {HTMLElement} frame */
  up(frame) {
    this.drag = null;
    frame.classList.remove("dragging");
  }

  apply() {
    const box = this.frames[0].getBoundingClientRect();
    this.x = Math.min(0, Math.max(box.width * (1 - this.scale), this.x));
    this.y = Math.min(0, Math.max(box.height * (1 - this.scale), this.y));
    const transform = this.scale === 1 ? "" : `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    for (const frame of this.frames) {
      if (frame.firstElementChild instanceof HTMLElement) frame.firstElementChild.style.transform = transform;
      frame.classList.toggle("zoomed", this.scale > 1);
    }
    this.onChange(this.scale);
  }
}
