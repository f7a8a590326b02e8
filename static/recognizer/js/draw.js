/**
 * The draw page: sends the pad's ink to the API for a reading and to the outbox for
 * storage, and shows their answers.
 */
import { ApiClient } from "./api.js";
import { CropView } from "./crop_view.js";
import { FeedbackOutbox } from "./feedback_outbox.js";
import { FeedbackView } from "./feedback_view.js";
import { frameOf } from "./frame.js";
import { KeyboardPen } from "./keyboard.js";
import { inPercent, translate } from "./messages.js";
import { Outbox } from "./outbox.js";
import { Pad } from "./pad.js";
import { openPicture, PictureError, pictureIn, pictureOf } from "./picture.js";
import { ReadingView, sentence } from "./reading_view.js";
import { Retry } from "./retry.js";
import { PEN_WIDTH_PX } from "./strokes.js";

const LIVE_READING_EVERY_MS = 150;
const CROP_REST_MS = 200;
const WHY_KEY = "digitsite.why";

const byId = (id) => document.getElementById(id);
const page = byId("draw");
const sheet = byId("sheet");
const canvas = byId("pad");
const names = ["undo", "redo", "keep", "clear", "turn", "cancel", "keep-picture", "retry", "why"];
const buttons = Object.fromEntries(names.map((name) => [name, byId(name)]));

const pad = new Pad(canvas);
const keyboardPen = new KeyboardPen(pad);
const crop = new CropView(byId("crop"));
const answer = new ReadingView(byId("answer"));
const feedback = new FeedbackView(byId("feedback"));
const api = new ApiClient({
  readingsUrl: page.dataset.readingsUrl,
  submissionsUrl: page.dataset.submissionsUrl,
  csrfToken,
});
const outbox = new Outbox({ api, storage: storageOf("sessionStorage") });
const feedbackOutbox = new FeedbackOutbox({ api, storage: storageOf("sessionStorage") });
const readAgain = new Retry(() => read({ isSettled: true }));

// About the current ink: `lastAskedAt` limits the rate of live readings, `problem` is
// why reading failed, `reading` is the last reading. `image` is the data URL of the
// picture on the pad, if there is one instead of strokes. While a picture is cropped, it
// is the current ink, and the pad's ink waits.
const live = { lastAskedAt: 0, problem: null, reading: null, image: null };
let cropTimer;
let isWhyShown = storageOf("localStorage")?.getItem(WHY_KEY) === "shown";

/** Called for each request: signing in or out in another tab changes the token. */
function csrfToken() {
  const cookie = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie);
  return cookie?.[1] ?? page.dataset.csrfToken;
}

function storageOf(kind) {
  try {
    return globalThis[kind];
  } catch {
    return null; // Cookies and storage are blocked: a reload loses unsent data.
  }
}

/** @returns {import("./api.js").Drawing | null} the ink to read */
function drawingNow() {
  if (crop.isOpen) return { image: crop.result().image };
  return live.image === null ? pad.strokes.toDrawing() : { image: live.image };
}

/* Reading ---------------------------------------------------------------- */

/** Read the current ink. Only settled readings are explained and announced. */
async function read({ isSettled }) {
  readAgain.stop();
  clearTimeout(cropTimer);
  const drawing = drawingNow();
  if (drawing === null) {
    api.stopReading();
    live.problem = null;
    live.reading = null;
    answer.clear();
    say("");
    showState();
    return;
  }
  live.lastAskedAt = performance.now();
  try {
    const reading = await api.read(drawing, { why: isSettled && isWhyShown });
    if (reading === null) return;
    live.problem = null;
    readAgain.reset();
    live.reading = reading;
    answer.show(reading);
    showWhy(reading);
    if (isSettled) say(sentence(reading));
  } catch (error) {
    if (!isSettled) return; // The finished stroke is read again anyway.
    live.problem = error;
    live.reading = null;
    answer.markStale();
    if (error.isTemporary) readAgain.after(error);
  }
  showState();
}

/** Read a stroke while it grows, at most one reading at a time. */
function readLive() {
  const isTooSoon = performance.now() - live.lastAskedAt < LIVE_READING_EVERY_MS;
  if (!isTooSoon && !api.isReading && live.problem === null) read({ isSettled: false });
}

/* Showing ---------------------------------------------------------------- */

function say(words) {
  byId("said").textContent = words;
}

function showState() {
  const { strokes } = pad;
  sheet.toggleAttribute("data-empty", pad.isBlank && !crop.isOpen);
  buttons.undo.disabled = !strokes.canUndo;
  buttons.redo.disabled = !strokes.canRedo;
  buttons.clear.disabled = !canClear();
  buttons.keep.disabled = !outbox.isUnkept;

  const kept = byId("kept");
  const id = strokes.isOpen || crop.isOpen ? null : outbox.keptId;
  kept.hidden = id === null;
  delete kept.dataset.submission;
  if (id !== null) {
    kept.dataset.submission = id;
    byId("kept-link").href = `${page.dataset.historyUrl}${id}/`;
  }
  showFeedback(id);

  const { problem, words } = problemNow();
  if (byId("problem").textContent !== words) byId("problem").textContent = words;
  buttons.retry.hidden = !problem?.isTemporary;
}

/** Return what is wrong; the visitor's own latest mistake comes first. */
function problemNow() {
  const isOfReading = live.problem instanceof PictureError || outbox.problem === null;
  const problem = isOfReading ? live.problem : outbox.problem;
  const reassurance = isOfReading
    ? translate("We will try again.")
    : translate("Your drawing is safe in this tab and will be sent again.");
  return { problem, words: problem === null ? "" : wordsFor(problem, reassurance) };
}

function canClear() {
  return pad.strokes.canClear || pad.hasPicture;
}

/** Ask about the ink on the pad, but only if it is stored and its reading is current. */
function showFeedback(keptId) {
  const isAnswered = live.reading !== null && !api.isReading;
  if (keptId === null || pad.isBlank) feedback.hide();
  else if (isAnswered) feedback.ask(keptId, live.reading.digit);
}

/** Lay the explanation over the strokes; for a picture it is over the 28x28 image. */
function showWhy(reading) {
  const overlay = byId("why-overlay");
  const isOverStrokes = Boolean(reading?.why) && !pad.strokes.isBlank && !crop.isOpen;
  overlay.toggleAttribute("hidden", !isOverStrokes);
  if (!isOverStrokes) return;
  const { x, y, size } = frameOf(pad.strokes.all, PEN_WIDTH_PX);
  const attributes = { x, y, width: size, height: size, href: reading.why };
  for (const [name, value] of Object.entries(attributes)) {
    overlay.querySelector("image").setAttribute(name, value);
  }
}

function wordsFor(error, reassurance) {
  if (error.status === 404) return translate("This drawing was deleted.");
  if (!error.isTemporary) return error.message;
  if (error.isNetworkFailure) {
    return translate("No connection to the server. %(reassurance)s", { reassurance });
  }
  if (error.status === 429) {
    return translate("The server is busy. %(reassurance)s", { reassurance });
  }
  return translate("The server has a problem. %(reassurance)s", { reassurance });
}

/* Acting ----------------------------------------------------------------- */

function startNewDrawing() {
  // Before the ink is cleared: the outbox stores a sheet that is not stored yet.
  keyboardPen.lift();
  pad.finish();
  outbox.newSheet();
  live.image = null;
  pad.clear();
  canvas.focus({ preventScroll: true });
}

function tryAgain() {
  readAgain.reset();
  feedbackOutbox.sendNow();
  if (live.problem !== null) read({ isSettled: true });
  outbox.retryNow();
}

function onAnswerGiven({ detail: { id, ...given } }) {
  feedback.thank(id, given);
  showState();
}

function onAnswerFailed({ detail: { id, error } }) {
  const reassurance = translate("Your answer is safe in this tab and will be sent again.");
  feedback.fail(id, wordsFor(error, reassurance));
}

function onStrokeStart() {
  // If everything was undone, the sheet's stored submission stays: begin a new sheet.
  if (pad.strokes.all.length === 1) outbox.newSheet();
  outbox.hold();
  showWhy(null);
  showState();
}

function onInkChange({ detail }) {
  if (detail.isLive) {
    readLive();
    return;
  }
  showWhy(null);
  live.reading = null;
  outbox.inkChanged(drawingNow());
  read({ isSettled: true });
  showState();
}

function onKey(event) {
  const isUndoKey = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  const isOnControl = event.target.closest("a, button, input, label, summary") !== null;
  if (event.altKey || event.isComposing) return;
  if (crop.isOpen) {
    if (key === "escape") cancelPicture();
    else if (key === "enter" && !isOnControl) keepPicture();
    return;
  }
  // Single keys work only where visitors draw or answer, to avoid surprises.
  const isHere = event.target.closest("#pad, #answer") !== null;
  const isOnPad = event.target === canvas;
  if (isUndoKey && key === "z" && !event.shiftKey) pad.undo();
  else if (isUndoKey && (key === "y" || key === "z")) pad.redo();
  else if (isUndoKey) return;
  else if (isOnPad && keyboardPen.press(event)) onKeyboardPen();
  else if (event.repeat) return;
  else if (key === "escape" && canClear()) startNewDrawing();
  else if (key === "enter" && !isOnControl) keep();
  else if (!isHere || !feedback.press(event.key)) return;
  event.preventDefault();
}

function onKeyboardPen() {
  canvas.removeAttribute("data-pointed");
  const { column, row } = keyboardPen.place;
  const values = { column, row };
  say(
    keyboardPen.isDown
      ? translate("Pen down, column %(column)s, row %(row)s of 14", values)
      : translate("Pen up, column %(column)s, row %(row)s of 14", values),
  );
}

function keep() {
  keyboardPen.lift();
  pad.finish();
  outbox.keepNow();
}

/* Pictures --------------------------------------------------------------- */

/** @param {File | null} file a picture to crop, and to read instead of strokes */
async function choosePicture(file) {
  if (file === null) return;
  try {
    const opened = await openPicture(file);
    keyboardPen.lift();
    pad.finish();
    crop.open(opened);
    readAnew();
  } catch (error) {
    if (!(error instanceof PictureError)) throw error;
    live.problem = error;
    showState();
  }
}

function keepPicture() {
  const { image, picture } = crop.result();
  crop.close();
  if (canClear()) startNewDrawing();
  live.image = image;
  pad.showPicture(picture);
  keep();
  canvas.focus({ preventScroll: true });
}

/** Go back to the pad as it was. */
function cancelPicture() {
  crop.close();
  readAnew();
  canvas.focus({ preventScroll: true });
}

/** Read ink that has taken the place of other ink. */
function readAnew() {
  live.problem = null;
  live.reading = null;
  answer.markStale();
  showWhy(null);
  read({ isSettled: true });
  showState();
}

function onCrop({ detail: { isByKey } }) {
  api.stopReading();
  live.reading = null;
  answer.markStale();
  if (isByKey) say(placeOfFrame());
  clearTimeout(cropTimer);
  cropTimer = setTimeout(() => read({ isSettled: true }), CROP_REST_MS);
}

function placeOfFrame() {
  const sides = Object.entries(crop.sides).map(([side, share]) => [side, inPercent(share, 0)]);
  return translate(
    "Frame: left %(left)s, top %(top)s, right %(right)s, bottom %(bottom)s",
    Object.fromEntries(sides),
  );
}

function onDrag(event) {
  const hasFile = event.dataTransfer?.types.includes("Files");
  if (!hasFile) return;
  event.preventDefault();
  sheet.toggleAttribute("data-drop", event.type === "dragover");
  if (event.type === "drop") choosePicture(pictureIn(event.dataTransfer));
}

function onPaste(event) {
  const picture = pictureIn(event.clipboardData);
  if (picture !== null) event.preventDefault();
  choosePicture(picture);
}

/* Why -------------------------------------------------------------------- */

function toggleWhy() {
  isWhyShown = !isWhyShown;
  storageOf("localStorage")?.setItem(WHY_KEY, isWhyShown ? "shown" : "hidden");
  showWhetherWhy();
  if (live.reading !== null) read({ isSettled: true });
}

function showWhetherWhy() {
  buttons.why.setAttribute("aria-pressed", isWhyShown);
}

/* Starting --------------------------------------------------------------- */

canvas.addEventListener("newsheet", startNewDrawing);
canvas.addEventListener("strokestart", onStrokeStart);
canvas.addEventListener("strokeend", () => keyboardPen.ended());
canvas.addEventListener("change", onInkChange);
canvas.addEventListener("focus", () => {
  if (canvas.matches(":focus-visible:not([data-pointed])")) keyboardPen.show();
});
canvas.addEventListener("blur", () => {
  canvas.removeAttribute("data-pointed");
  keyboardPen.leave();
});
canvas.addEventListener("pointerdown", () => pad.showCursor(null));
outbox.addEventListener("update", showState);
feedbackOutbox.addEventListener("given", onAnswerGiven);
feedbackOutbox.addEventListener("failed", onAnswerFailed);
byId("feedback").addEventListener("feedback", ({ detail }) => {
  outbox.keepForGood(detail.id);
  feedbackOutbox.give(detail);
});
byId("crop").addEventListener("crop", onCrop);
byId("picture").addEventListener("change", ({ target }) => {
  choosePicture(target.files[0] ?? null);
  target.value = ""; // so that the same file can be chosen again
});
buttons.undo.addEventListener("click", () => pad.undo());
buttons.redo.addEventListener("click", () => pad.redo());
buttons.keep.addEventListener("click", keep);
buttons.clear.addEventListener("click", startNewDrawing);
buttons.turn.addEventListener("click", () => crop.turn());
buttons.cancel.addEventListener("click", cancelPicture);
buttons["keep-picture"].addEventListener("click", keepPicture);
buttons.retry.addEventListener("click", tryAgain);
buttons.why.addEventListener("click", toggleWhy);
for (const name of ["dragover", "dragleave", "drop"]) addEventListener(name, onDrag);
addEventListener("paste", onPaste);
addEventListener("keydown", onKey);
addEventListener("online", tryAgain);
addEventListener("pagehide", () => {
  pad.finish();
  outbox.leave();
});
addEventListener("pageshow", (event) => {
  if (event.persisted) outbox.comeBack();
});
// A phone may close a hidden page without a further event.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") keep();
});

async function takeUpAgain() {
  const unkept = outbox.restore();
  if (unkept?.image) {
    live.image = unkept.image;
    pad.showPicture(await pictureOf(unkept.image));
  } else if (unkept) pad.restore(unkept);
  showState();
}

showWhetherWhy();
feedbackOutbox.restore();
takeUpAgain();
