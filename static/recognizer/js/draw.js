/**
 * The draw page: reads the pad's ink, in the page or by the API, sends it to the outbox
 * for storage, and shows the answers. The server answers for the record: if its stored
 * reading differs from the page's, the page shows the server's.
 */
import { ApiClient } from "./api.js";
import { CropView } from "./crop_view.js";
import { FeedbackView } from "./feedback_view.js";
import { frameOf } from "./frame.js";
import { KeyboardPen } from "./keyboard.js";
import { inPercent, translate } from "./messages.js";
import { Outbox } from "./outbox.js";
import { Pad } from "./pad.js";
import { canReadHere, PageReader } from "./page_reader.js";
import { NumberView } from "./number_view.js";
import { openPicture, PictureError, pictureIn, pictureOf } from "./picture.js";
import { numberIn, ReadingView, sentence } from "./reading_view.js";
import { openRecords } from "./records.js";
import { Retry } from "./retry.js";
import { CANVAS_PX, PEN_WIDTH_PX } from "./strokes.js";

const LIVE_READING_EVERY_MS = 150;
const CROP_REST_MS = 200;
const WHY_KEY = "digitsite.why";
const VISITOR_KEY = "digitsite.visitor";
const KEEP_NOTHING_KEY = "digitsite.keep-nothing";
const WIDE_KEY = "digitsite.wide";

const byId = (id) => document.getElementById(id);
const page = byId("draw");
const sheet = byId("sheet");
const canvas = byId("pad");
const names = [
  "undo", "redo", "keep", "clear", "widen", "turn", "cancel", "keep-picture", "retry", "why",
];
const buttons = Object.fromEntries(names.map((name) => [name, byId(name)]));

const pad = new Pad(canvas);
const keyboardPen = new KeyboardPen(pad);
const crop = new CropView(byId("crop"));
const answer = new ReadingView(byId("answer"));
const number = new NumberView(byId("number"));
const feedback = new FeedbackView(byId("feedback"));
const api = new ApiClient({
  readingsUrl: page.dataset.readingsUrl,
  submissionsUrl: page.dataset.submissionsUrl,
  meUrl: page.dataset.meUrl,
  csrfToken,
});
const pageReader = new PageReader({
  bundleUrl: page.dataset.bundleUrl,
  workerUrl: page.dataset.worker,
  runtime: {
    library: page.dataset.library,
    loader: page.dataset.loader,
    wasm: page.dataset.wasm,
  },
});
const storage = { local: storageOf("localStorage"), session: storageOf("sessionStorage") };
const outbox = new Outbox({
  api,
  storage,
  records: openRecords(),
  visitor: visitorHere(),
  // Where cookies are blocked, every request for a lock fails.
  locks: navigator.cookieEnabled ? navigator.locks : undefined,
});
const readAgain = new Retry(() => read({ isSettled: true }));

// About the current ink: `lastAskedAt` limits the rate of live readings, `problem` is
// why reading failed, `reading` is the last reading. `image` is the data URL of the
// picture on the pad, if there is one instead of strokes. While a picture is cropped, it
// is the current ink, and the pad's ink waits. `isBehind` is true if ink came while the
// page was reading.
const live = { lastAskedAt: 0, problem: null, reading: null, image: null, isBehind: false };
let cropTimer;
/** Whether nothing that is drawn may leave this page. */
let isPrivate = storage.local?.getItem(KEEP_NOTHING_KEY) === "on";
let isWhyShown = storage.local?.getItem(WHY_KEY) === "shown";

/** Called for each request: signing in or out in another tab changes the token. */
function csrfToken() {
  const name = `${page.dataset.csrfCookie}=`;
  const cookie = document.cookie.split("; ").find((one) => one.startsWith(name));
  return cookie?.slice(name.length) ?? page.dataset.csrfToken;
}

function storageOf(kind) {
  try {
    return globalThis[kind];
  } catch {
    return null; // Cookies and storage are blocked.
  }
}

function remember(key, value) {
  try {
    storage.local?.setItem(key, value);
  } catch {
    // The storage is full.
  }
}

/** @returns {string | null} whose drawings these are; offline, whose they were last */
function visitorHere() {
  const { visitor } = page.dataset;
  if (visitor === undefined) return storage.local?.getItem(VISITOR_KEY) || null;
  remember(VISITOR_KEY, visitor);
  return visitor || null;
}

/** @returns {import("./api.js").Drawing | null} the ink to read */
function drawingNow() {
  const ink = inkNow();
  return ink && { ...ink, expect: "auto" };
}

function inkNow() {
  if (crop.isOpen) return { image: crop.result().image };
  return live.image === null ? pad.strokes.toDrawing() : { image: live.image };
}

/* Reading ---------------------------------------------------------------- */

/** Read the current ink. Only settled readings are explained and announced. */
async function read({ isSettled }) {
  readAgain.stop();
  clearTimeout(cropTimer);
  stopReading();
  const drawing = drawingNow();
  if (drawing === null) {
    live.problem = null;
    live.reading = null;
    answer.clear();
    say("");
    showState();
    return;
  }
  if (canPageRead(drawing)) await readInPage(drawing, { isSettled });
  else if (isPrivate || drawing.image === null) leaveUnread(drawing);
  else await readByServer(drawing, { isSettled });
}

function canPageRead(drawing) {
  return pageReader.model !== null && drawing.image === undefined;
}

/** Say why nobody reads this: the server may not or cannot get it, and the page cannot. */
function leaveUnread({ image }) {
  live.problem = new Error(whyUnread(image));
  live.reading = null;
  answer.markStale();
  showState();
}

function whyUnread(image) {
  if (image === null) {
    return translate(
      "To prevent tracking, this browser does not let pages crop, turn or shrink pictures. Choose one of at most 7 MB and save it as it is.",
    );
  }
  return image
    ? translate("Only the server can read pictures. Turn off “Keep nothing” to send this one.")
    : translate("This page cannot read by itself yet. Turn off “Keep nothing” to let the server read.");
}

/** Answer first and explain then; if the page's reader fails, let the server read. */
async function readInPage(drawing, { isSettled }) {
  live.isBehind = false;
  try {
    const reading = await pageReader.read(drawing);
    if (reading === null) return;
    showReading(reading, { isSettled });
    if (!isSettled) {
      if (live.isBehind) readLive();
      return;
    }
    const { digit, refusal, model } = reading;
    outbox.pageRead({ digit, refusal: refusal?.code ?? null, model });
    showState();
    const mayBeNumber = refusal?.code === "several";
    if (mayBeNumber && isPrivate) {
      saySeveral(
        translate("Only the server reads numbers. Turn off “Keep nothing” to send this one."),
      );
    } else if (mayBeNumber && (await readNumber(drawing))) return;
    if (!isWhyShown) return;
    const explained = await pageReader.read(drawing, { why: true });
    if (explained === null || live.reading === null) return;
    live.reading = { ...live.reading, why: explained.why };
    answer.show(live.reading);
    showOnSheet(live.reading);
  } catch (error) {
    if (pageReader.model !== null) throw error;
    page.removeAttribute("data-reads-here");
    await read({ isSettled });
  }
}

/**
 * Ask the server about what may be a number: the page reads single digits only.
 *
 * @returns {Promise<boolean>} whether the answer has been dealt with
 */
async function readNumber(drawing) {
  const here = live.reading;
  try {
    const reading = await api.read(drawing);
    if (reading === null || reading.number === undefined) return reading === null;
    showReading(reading, { isSettled: true });
    showState();
    return true;
  } catch (error) {
    if (live.reading === here && error.isNetworkFailure) {
      saySeveral(translate("Only the server reads numbers, and there is no connection to it."));
    }
    return false;
  }
}

/** Say why what may be a number was not read as one. */
function saySeveral(message) {
  const refusal = { code: "several", message };
  showReading({ ...live.reading, refusal }, { isSettled: true });
}

async function readByServer(drawing, { isSettled }) {
  live.lastAskedAt = performance.now();
  answer.wait(isSettled);
  try {
    const reading = await api.read(drawing, { why: isSettled && isWhyShown });
    if (reading === null) return;
    showReading(reading, { isSettled });
  } catch (error) {
    if (!isSettled) return; // The finished stroke is read again anyway.
    live.problem = error;
    live.reading = null;
    answer.markStale();
    if (error.isTemporary) readAgain.after(error);
  }
  answer.wait(false);
  showState();
}

function showReading(reading, { isSettled }) {
  live.problem = null;
  readAgain.reset();
  live.reading = reading;
  answer.show(reading);
  showOnSheet(reading);
  if (isSettled) say(sentence(reading));
}

/** Read a stroke while it grows, at most one reading at a time. */
function readLive() {
  if (pageReader.model !== null) {
    live.isBehind = pageReader.isReading;
    if (!live.isBehind) read({ isSettled: false });
    return;
  }
  const isTooSoon = performance.now() - live.lastAskedAt < LIVE_READING_EVERY_MS;
  if (!isTooSoon && !api.isReading && live.problem === null) read({ isSettled: false });
}

function stopReading() {
  api.stopReading();
  pageReader.stopReading();
  answer.wait(false);
}

/** Show the stored reading if the page read something else; learn of another model. */
function onStored({ detail: { id, submission } }) {
  if (!submission) return; // Another page has stored it.
  const { reading } = live;
  const { prediction } = submission;
  const isOfThisInk = id === outbox.keptId && !pad.isBlank && !pad.strokes.isOpen;
  if (isOfThisInk && reading?.model && isOther(reading, prediction)) {
    showReading({ ...prediction, seen: reading.seen }, { isSettled: true });
  }
  if (isReaderWanted) useModel(prediction.model);
}

function isOther(reading, prediction) {
  return (
    reading.digit !== prediction.digit || reading.refusal?.code !== prediction.refusal?.code
  );
}

/* Showing ---------------------------------------------------------------- */

function say(words) {
  byId("said").textContent = words;
}

function showState() {
  const { strokes } = pad;
  showWidth();
  sheet.toggleAttribute("data-empty", pad.isBlank && !crop.isOpen);
  buttons.undo.disabled = !strokes.canUndo;
  buttons.redo.disabled = !strokes.canRedo;
  buttons.clear.disabled = !canClear();
  buttons.keep.disabled = !outbox.isUnkept;

  const kept = byId("kept");
  const id = strokes.isOpen || crop.isOpen ? null : outbox.keptId;
  kept.hidden = id === null;
  byId("saving").hidden = !outbox.isSending || id !== null;
  delete kept.dataset.submission;
  if (id !== null) {
    kept.dataset.submission = id;
    byId("kept-link").href = `${page.dataset.historyUrl}${id}/`;
  }
  showFeedback(strokes.isOpen || crop.isOpen ? null : outbox.askKey);

  const { problem, words } = problemNow();
  if (byId("problem").textContent !== words) byId("problem").textContent = words;
  buttons.retry.hidden = !problem?.isTemporary;
}

/** Return what is wrong; the visitor's own latest mistake comes first. */
function problemNow() {
  if (live.problem === null && outbox.isOff && !isPrivate) {
    const words = translate(
      "This browser blocks the site's cookies, so nothing is saved. You can still draw.",
    );
    return { problem: null, words };
  }
  const isOfReading = live.problem instanceof PictureError || outbox.problem === null;
  const problem = isOfReading ? live.problem : outbox.problem;
  const reassurance = isOfReading
    ? translate("We will try again.")
    : outbox.isLasting
      ? translate("Your drawing is safe on this device and will be sent again.")
      : translate("Your drawing is safe in this tab and will be sent again.");
  return { problem, words: problem === null ? "" : wordsFor(problem, reassurance) };
}

function canClear() {
  return pad.strokes.canClear || pad.hasPicture;
}

/** Ask about the ink on the pad, but only if it is safe and its reading is current. */
function showFeedback(key) {
  const isAnswered = live.reading !== null && !api.isReading;
  if (key === null || pad.isBlank) feedback.hide();
  else if (isAnswered) {
    const { digit, number: guess } = live.reading;
    feedback.ask(key, digit, numberIn(live.reading), guess?.text);
    number.write(feedback.corrected);
  }
}

/** Lay the reading over the ink that it is about; null takes it away. */
function showOnSheet(reading) {
  showWhy(reading);
  feedback.choose(null);
  if (reading?.number && reading.digit === null && !crop.isOpen) showDigits(reading);
  else number.hide();
}

/** Show each digit of a number, or of a guess, at its place. */
function showDigits({ number: { text, digits }, refusal }) {
  const boxes = digits.map(({ box }) => {
    const [x, y, width, height] = pad.placeOf(box);
    return [x / pad.width, y / CANVAS_PX, width / pad.width, height / CANVAS_PX];
  });
  number.show(text, boxes, { isGuess: refusal !== null });
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
  if (error.code === "other_visitor") {
    return translate(
      "You have signed out or in since this page was opened. Sign in again to save this drawing, or reload the page.",
    );
  }
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
  if (live.problem !== null) read({ isSettled: true });
  outbox.retryNow();
}

function onAnswer({ detail: { id, ...given } }) {
  chooseDigit(null);
  feedback.thank(id, given);
  number.write(feedback.corrected);
  outbox.give(id, given);
}

/** @param {number | null} place of the digit of the number to be looked at and corrected */
function chooseDigit(place) {
  number.choose(place);
  feedback.choose(place);
  if (live.reading === null) return;
  answer.show(live.reading);
  if (place !== null) answer.showDigit(live.reading.number.digits[place]);
}

function onChoose({ detail: { place } }) {
  chooseDigit(place);
  if (place === null) return;
  byId("feedback").scrollIntoView({ block: "nearest" });
  if (outbox.isUnkept) keep(); // only what is stored can be corrected
}

function onAnswerFailed({ detail: { key, error } }) {
  const reassurance = outbox.isLasting
    ? translate("Your answer is safe on this device and will be sent again.")
    : translate("Your answer is safe in this tab and will be sent again.");
  feedback.fail(key, wordsFor(error, reassurance));
}

function onStrokeStart() {
  // If everything was undone, the sheet's stored submission stays: begin a new sheet.
  if (pad.strokes.all.length === 1) outbox.newSheet();
  outbox.hold();
  showOnSheet(null);
  showState();
}

function onInkChange({ detail }) {
  if (detail.isLive) {
    readLive();
    return;
  }
  showOnSheet(null);
  live.reading = null;
  outbox.inkChanged(drawingNow());
  read({ isSettled: true });
  showState();
}

function onKey(event) {
  const isUndoKey = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  const isOnControl = event.target.closest("a, button, input, label, summary") !== null;
  if (event.altKey || event.isComposing || event.target.matches("input[name=number]")) return;
  if (crop.isOpen) {
    if (key === "escape") cancelPicture();
    else if (key === "enter" && !isOnControl) keepPicture();
    return;
  }
  // Single keys work only where visitors draw or answer, to avoid surprises.
  const isHere = event.target.closest("#sheet, #answer") !== null;
  const isOnPad = event.target === canvas;
  if (isUndoKey && key === "z" && !event.shiftKey) pad.undo();
  else if (isUndoKey && (key === "y" || key === "z")) pad.redo();
  else if (isUndoKey) return;
  else if (isOnPad && keyboardPen.press(event)) onKeyboardPen();
  else if (event.repeat) return;
  else if (key === "escape" && canClear()) startNewDrawing();
  else if (key === "enter" && !isOnControl) keep();
  else if (!isHere || !onAnswerKey(event)) return;
  event.preventDefault();
}

/** A digit key corrects the digit of the number that has the focus. */
function onAnswerKey({ key, target }) {
  const place = target.dataset.place;
  if (place !== undefined && /^[0-9]$/.test(key)) chooseDigit(Number(place));
  return feedback.press(key);
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

/* The sheet's width ------------------------------------------------------ */

/** Make the sheet a square, or as wide as the stylesheet says. What was drawn stays. */
function setWide(isWide) {
  const across = Number(getComputedStyle(sheet).getPropertyValue("--widest"));
  pad.width = isWide ? CANVAS_PX * across : CANVAS_PX;
  showOnSheet(live.reading);
  showState();
}

function showWidth() {
  const isWide = pad.width > CANVAS_PX;
  page.toggleAttribute("data-wide", isWide);
  page.style.setProperty("--wide", pad.width / CANVAS_PX);
  buttons.widen.setAttribute("aria-pressed", isWide);
  buttons.widen.disabled = isWide && !pad.strokes.fits(CANVAS_PX);
}

function toggleWidth() {
  const isWide = pad.width > CANVAS_PX;
  remember(WIDE_KEY, isWide ? "off" : "on");
  setWide(!isWide);
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
  if (image === null) return; // the page has said why
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
  showOnSheet(null);
  read({ isSettled: true });
  showState();
}

function onCrop({ detail: { isByKey } }) {
  stopReading();
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

/* Keeping nothing --------------------------------------------------------- */

function onKeepNothing({ target }) {
  isPrivate = target.checked;
  remember(KEEP_NOTHING_KEY, isPrivate ? "on" : "off");
  // What was drawn in private is not stored afterwards.
  if (!isPrivate && crop.isOpen) cancelPicture();
  if (!isPrivate) startNewDrawing();
  showPrivacy();
  if (isPrivate) read({ isSettled: true });
}

function showPrivacy() {
  outbox.isOff = isPrivate || !navigator.cookieEnabled;
  byId("keep-nothing").checked = isPrivate;
}

/* Why -------------------------------------------------------------------- */

function toggleWhy() {
  isWhyShown = !isWhyShown;
  remember(WHY_KEY, isWhyShown ? "shown" : "hidden");
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
outbox.addEventListener("stored", onStored);
outbox.addEventListener("visitor", ({ detail }) => remember(VISITOR_KEY, detail.visitor));
outbox.addEventListener("answered", ({ detail }) => feedback.fail(detail.key, ""));
outbox.addEventListener("unanswered", onAnswerFailed);
byId("feedback").addEventListener("feedback", onAnswer);
byId("number").addEventListener("choose", onChoose);
byId("keep-nothing").addEventListener("change", onKeepNothing);
byId("crop").addEventListener("crop", onCrop);
byId("picture").addEventListener("change", ({ target }) => {
  choosePicture(target.files[0] ?? null);
  target.value = ""; // so that the same file can be chosen again
});
buttons.undo.addEventListener("click", () => pad.undo());
buttons.redo.addEventListener("click", () => pad.redo());
buttons.keep.addEventListener("click", keep);
buttons.clear.addEventListener("click", startNewDrawing);
buttons.widen.addEventListener("click", toggleWidth);
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
  const unkept = await outbox.restore();
  if (unkept && !pad.isBlank) outbox.newSheet(); // Somebody has begun to draw.
  else if (unkept?.image) {
    live.image = unkept.image;
    pad.showPicture(await pictureOf(unkept.image));
  } else if (unkept) pad.restore(unkept);
  showState();
}

/** Load the reader in the page once nothing else is loading. */
function loadReader() {
  const whenIdle = globalThis.requestIdleCallback ?? setTimeout;
  whenIdle(async () => {
    await useModel(page.dataset.model);
    await keepSite();
  });
}

/** Let the browser keep the site, to open it without a connection. */
async function keepSite() {
  if (page.dataset.serviceWorker === undefined) return;
  try {
    const kept = await navigator.serviceWorker.register(page.dataset.serviceWorker);
    await kept.update(); // browsers look for a newer site late, or once a day
  } catch {
    // Storage is blocked or full, or the connection broke off: the next load tries again.
  }
}

async function useModel(model) {
  await pageReader.use(model);
  page.toggleAttribute("data-reads-here", pageReader.model !== null);
  if (isPrivate && pageReader.model !== null) read({ isSettled: true });
}

const isReaderWanted = page.dataset.model !== "" && canReadHere();

showPrivacy();
showWhetherWhy();
setWide(storage.local?.getItem(WIDE_KEY) === "on");
takeUpAgain();
if (isReaderWanted && document.readyState === "complete") loadReader();
else if (isReaderWanted) addEventListener("load", loadReader);
