// @ts-check
// One transport for two videos. A clock of its own says where both should be; a video that has drifted
// is first nudged by its rate, and set right where that would take too long.

/** @import { Parts } from "../types" */

const SPEEDS = [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 4];
const CHECK_MS = 100;
const USUAL_FRAME_S = 1 / 24;

export class Transport {
  /** @param {Pick<Parts, "scrub" | "time" | "play" | "speed" | "loop">} parts
   *  @param {(video: HTMLVideoElement, held: boolean) => void} onChange */
  constructor(parts, onChange) {
    this.parts = parts;
    this.onChange = onChange;
    /** @type {HTMLVideoElement[]} */
    this.videos = [];
    this.speed = 1;
    this.loop = true;
    this.playing = false;
    this.frame = USUAL_FRAME_S;
    this.generation = 0;
    parts.scrub.addEventListener("input", () => this.seek(Number(parts.scrub.value)));
    this.timer = setInterval(() => this.check(), CHECK_MS);
  }

  close() {
    clearInterval(this.timer);
    this.detach();
  }

  detach() {
    this.generation++;
    this.playing = false;
    for (const video of this.videos) video.pause();
    this.videos = [];
  }

  /** Take over two video elements; they start together as soon as both can.
   *  @param {HTMLVideoElement[]} videos */
  attach(videos) {
    this.detach();
    this.videos = videos;
    this.frame = USUAL_FRAME_S;
    const generation = this.generation;
    for (const video of videos) {
      video.muted = true;
      video.playsInline = true;
      video.preload = "auto";
      video.playbackRate = this.speed;
      if (video.currentTime !== 0) video.currentTime = 0;
      this.watchFrames(video, generation);
    }
    this.draw();
    Promise.all(videos.map((video) => ready(video))).then(() => {
      if (generation === this.generation && !this.playing) this.play();
    });
  }

  /** The length of a frame, learnt from those that are shown.
   *  @param {HTMLVideoElement} video @param {number} generation */
  watchFrames(video, generation) {
    if (!video.requestVideoFrameCallback) return;
    /** @type {number | null} */
    let last = null;
    let seen = 0;
    /** @type {VideoFrameRequestCallback} */
    const each = (_now, { mediaTime }) => {
      if (generation !== this.generation || seen > 60) return;
      const step = last === null ? 0 : mediaTime - last;
      if (step > 0.004 && step < 0.26) {
        this.frame = seen === 0 ? step : Math.min(this.frame, step);
        seen++;
      }
      last = mediaTime;
      video.requestVideoFrameCallback(each);
    };
    video.requestVideoFrameCallback(each);
  }

  get usable() {
    return this.videos.filter((video) => !video.error && Number.isFinite(video.duration));
  }

  /** The longer video leads; the shorter one holds its last frame. */
  get lead() {
    return this.usable.reduce((best, video) => (!best || video.duration > best.duration ? video : best), /** @type {HTMLVideoElement | null} */ (null));
  }

  get length() {
    return this.lead ? this.lead.duration : 0;
  }

  get time() {
    return this.lead ? this.lead.currentTime : 0;
  }

  async play() {
    const lead = this.lead;
    if (!lead) return;
    this.playing = true;
    const generation = this.generation;
    if (lead.currentTime >= lead.duration - this.frame / 2) await this.seek(0);
    // Both stand at the same place before the first of them moves.
    await Promise.all(this.usable.map((video) => ready(video)));
    if (generation !== this.generation || !this.playing) return;
    for (const video of this.usable) {
      video.playbackRate = this.speed;
      if (lead.currentTime < video.duration) video.play().catch(() => {});
    }
    this.draw();
  }

  pause() {
    this.playing = false;
    for (const video of this.videos) video.pause();
    this.align(this.time);
    this.draw();
  }

  toggle() {
    // At its end it stands still already, even if the clock has not noticed yet.
    if (this.playing && !this.lead?.ended) this.pause();
    else this.play();
  }

  /** @param {number} time */
  align(time) {
    for (const video of this.usable) {
      const place = placeIn(video, time);
      if (Math.abs(video.currentTime - place) > 0.0005) video.currentTime = place;
    }
  }

  /** @param {number} time */
  async seek(time) {
    const place = Math.max(0, Math.min(time, this.length));
    this.align(place);
    const generation = this.generation;
    await Promise.all(this.usable.map((video) => ready(video)));
    if (generation !== this.generation) return;
    if (this.playing) {
      for (const video of this.usable) if (video.paused && place < video.duration) video.play().catch(() => {});
    }
    this.draw();
  }

  /** @param {number} frames */
  step(frames) {
    if (this.playing) this.pause();
    // To the middle of a frame, so that rounding never shows its neighbour.
    const number = Math.floor(this.time / this.frame + 0.001) + frames;
    this.seek(Math.max(0, (number + 0.5) * this.frame));
  }

  /** @param {number} direction */
  setSpeed(direction) {
    const place = SPEEDS.indexOf(this.speed) + direction;
    this.speed = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, place))];
    for (const video of this.videos) video.playbackRate = this.speed;
    this.draw();
  }

  /** @param {boolean} loop */
  setLoop(loop) {
    this.loop = loop;
    this.draw();
  }

  check() {
    const lead = this.lead;
    if (!lead) return this.draw();
    if (this.playing) {
      if (lead.ended || lead.currentTime >= lead.duration - 0.001) {
        // Not paused by us: that would move it off its end.
        if (this.loop) this.play();
        else this.playing = false;
      } else {
        for (const video of this.usable) if (video !== lead) this.correct(lead, video);
      }
    }
    this.draw();
  }

  /** @param {HTMLVideoElement} lead @param {HTMLVideoElement} video */
  correct(lead, video) {
    if (lead.seeking || video.seeking || lead.currentTime >= video.duration) return;
    const drift = video.currentTime - lead.currentTime;
    if (Math.abs(drift) > 2 * this.frame) {
      video.currentTime = lead.currentTime;
      if (video.paused) video.play().catch(() => {});
      return;
    }
    if (video.paused && video.readyState >= 3) video.play().catch(() => {});
    // Made up within half a second; a tenth of a frame is nothing to mend.
    const nudge = Math.abs(drift) < this.frame / 10 ? 0 : Math.max(-0.1, Math.min(0.1, -drift * 2));
    const rate = this.speed * (1 + nudge);
    if (Math.abs(video.playbackRate - rate) > 0.005) video.playbackRate = rate;
  }

  draw() {
    const { scrub, time, play, speed, loop } = this.parts;
    const length = this.length;
    scrub.max = String(length || 1);
    if (!scrub.matches(":focus") || this.playing) scrub.value = String(this.time);
    const shown = this.time.toFixed(2) + " / " + length.toFixed(1) + " s";
    if (time.textContent !== shown) time.textContent = shown;
    scrub.setAttribute("aria-valuetext", shown);
    const label = this.playing ? "Pause" : "Play";
    if (play.getAttribute("aria-label") !== label) {
      play.setAttribute("aria-label", label);
      play.textContent = this.playing ? "❚❚" : "▶";
    }
    const rate = this.speed + "×";
    if (speed.textContent !== rate) speed.textContent = rate;
    loop.setAttribute("aria-pressed", String(this.loop));
    for (const video of this.videos) {
      const held = Number.isFinite(video.duration) && length - video.duration > this.frame / 2 && this.time >= video.duration;
      this.onChange(video, held);
    }
  }
}

/** Where a video stands at `time` of the pair: a shorter one stays on its last frame.
 *  @param {HTMLVideoElement} video @param {number} time */
function placeIn(video, time) {
  return Math.min(time, Math.max(0, video.duration - 0.001));
}

/** Resolves when the video stands still on a frame that it can show, or cannot be played.
 *  @param {HTMLVideoElement} video */
function ready(video) {
  const there = () => video.error || (video.readyState >= 2 && !video.seeking);
  if (there()) return Promise.resolve();
  return /** @type {Promise<void>} */ (new Promise((resolve) => {
    const events = ["loadeddata", "canplay", "seeked", "error"];
    const look = () => {
      if (!there()) return;
      for (const name of events) video.removeEventListener(name, look);
      resolve();
    };
    for (const name of events) video.addEventListener(name, look);
  }));
}
