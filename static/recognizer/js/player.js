/**
 * Replays a stored drawing on its page, with a button or the slider.
 *
 * Nothing moves by itself. For people who prefer reduced motion, the button shows
 * one more stroke at a time.
 */
import { pathOf, Replay } from "./replay.js";

const drawing = document.getElementById("drawing");
const paths = [...drawing.querySelectorAll("path")];
const controls = document.getElementById("replay");
const button = document.getElementById("replay-button");
const slider = document.getElementById("replay-time");
const words = document.getElementById("replay-words");
const lessMotion = window.matchMedia("(prefers-reduced-motion: reduce)");
const strokes = JSON.parse(document.getElementById("strokes").textContent);
const replay = new Replay(strokes, drawing.viewBox.baseVal.width);
const seconds = new Intl.NumberFormat(document.documentElement.lang, {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

let now = replay.duration;
let frame = null;

function show(time) {
  now = Math.min(Math.max(time, 0), replay.duration);
  replay.inkAt(now).forEach((ink, i) => paths[i].setAttribute("d", pathOf(ink)));
  slider.value = String(now);
  const said = controls.dataset.seconds
    .replace("{now}", seconds.format(now / 1000))
    .replace("{all}", seconds.format(replay.duration / 1000));
  words.textContent = said;
  slider.setAttribute("aria-valuetext", said);
}

function play() {
  const began = performance.now() - (now < replay.duration ? now : 0);
  const step = (clock) => {
    show(clock - began);
    if (now < replay.duration) frame = requestAnimationFrame(step);
    else pause();
  };
  frame = requestAnimationFrame(step);
  nameButton();
}

function pause() {
  if (frame !== null) cancelAnimationFrame(frame);
  frame = null;
  nameButton();
}

function nameButton() {
  const { play: toPlay, pause: toPause, step } = controls.dataset;
  button.textContent = lessMotion.matches ? step : frame === null ? toPlay : toPause;
}

button.addEventListener("click", () => {
  if (lessMotion.matches) show(replay.nextEnd(now < replay.duration ? now : 0));
  else if (frame === null) play();
  else pause();
});
slider.addEventListener("input", () => {
  pause();
  show(Number(slider.value));
});
lessMotion.addEventListener("change", pause);

slider.max = String(replay.duration);
controls.hidden = false;
nameButton();
show(replay.duration);
