/**
 * The draw page: ink goes from the pad to the reader and the keeper, what they
 * answer goes to the page.
 */
import { AnswerView, sentence } from "./answer.js";
import { FeedbackView } from "./feedback.js";
import { Keeper } from "./keeper.js";
import { Pad } from "./pad.js";
import { Reader } from "./reader.js";

const LIVE_READING_EVERY_MS = 150;
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

const byId = (id) => document.getElementById(id);
const page = byId("draw");
const buttons = {
  undo: byId("undo"),
  redo: byId("redo"),
  keep: byId("keep"),
  clear: byId("clear"),
  retry: byId("retry"),
};

const pad = new Pad(byId("pad"));
const answer = new AnswerView(byId("answer"));
const feedback = new FeedbackView(byId("feedback"));
const reader = new Reader({
  readingsUrl: page.dataset.readingsUrl,
  submissionsUrl: page.dataset.submissionsUrl,
  csrfToken,
});
const keeper = new Keeper({ reader, storage: tabStorage() });

// What to do about the newest ink: `lastAskedAt` slows the live readings down,
// `problem` is why it is unread.
// `reading` is what was last read in it.
const live = {
  lastAskedAt: 0,
  problem: null,
  failures: 0,
  retryTimer: undefined,
  reading: null,
};

/** Read for each call: signing in or out in another tab changes it. */
function csrfToken() {
  const cookie = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie);
  return cookie?.[1] ?? page.dataset.csrfToken;
}

function tabStorage() {
  try {
    return sessionStorage;
  } catch {
    return null; // Cookies and storage are blocked: a reload starts afresh.
  }
}

/* Reading ---------------------------------------------------------------- */

/** Read the ink as it is now. Only a settled reading is said aloud. */
async function read({ isSettled }) {
  clearTimeout(live.retryTimer);
  const drawing = pad.strokes.toDrawing();
  if (drawing === null) {
    reader.stopReading();
    live.problem = null;
    live.reading = null;
    answer.clear();
    say("");
    showState();
    return;
  }
  live.lastAskedAt = performance.now();
  try {
    const reading = await reader.read(drawing);
    if (reading === null) return;
    live.problem = null;
    live.failures = 0;
    live.reading = reading;
    answer.show(reading);
    if (isSettled) say(sentence(reading));
  } catch (error) {
    if (!isSettled) return; // The finished stroke is read again anyway.
    live.problem = error;
    answer.markStale();
    if (error.isTemporary) readLater(error);
  }
  showState();
}

function readLater(error) {
  const backoff = Math.min(FIRST_RETRY_MS * 2 ** live.failures, LAST_RETRY_MS);
  const delay = Math.max(backoff, error.retryAfterMs ?? 0);
  live.failures += 1;
  live.retryTimer = setTimeout(() => read({ isSettled: true }), delay);
}

/** Read a stroke while it grows, at most one reading at a time. */
function readLive() {
  const isTooSoon = performance.now() - live.lastAskedAt < LIVE_READING_EVERY_MS;
  if (!isTooSoon && !reader.isReading && live.problem === null) read({ isSettled: false });
}

/* Showing ---------------------------------------------------------------- */

function say(words) {
  byId("said").textContent = words;
}

function showState() {
  const { strokes } = pad;
  byId("sheet").toggleAttribute("data-empty", strokes.isBlank);
  buttons.undo.disabled = !strokes.canUndo;
  buttons.redo.disabled = !strokes.canRedo;
  buttons.clear.disabled = !strokes.canClear;
  buttons.keep.disabled = !keeper.isUnkept;

  const kept = byId("kept");
  const id = strokes.isOpen ? null : keeper.keptId;
  kept.hidden = id === null;
  if (id === null) kept.removeAttribute("data-submission");
  else kept.dataset.submission = id;
  showFeedback(id);

  const problem = keeper.problem ?? live.problem;
  const words = problem === null ? "" : wordsFor(problem);
  if (byId("problem").textContent !== words) byId("problem").textContent = words;
  buttons.retry.hidden = !problem?.isTemporary;
}

/** Ask only about ink that is on the pad, kept, and read as it is now. */
function showFeedback(keptId) {
  const isAnswered = live.reading !== null && !reader.isReading;
  if (keptId === null || pad.strokes.isBlank) feedback.hide();
  else if (isAnswered) feedback.ask(keptId, live.reading.digit);
}

function wordsFor(
  error,
  reassurance = "Your drawing is safe here and will be sent again.",
) {
  if (!error.isTemporary) return error.message;
  if (error.isNetworkFailure) return `No connection to the server. ${reassurance}`;
  if (error.status === 429) return `The server asks for a short break. ${reassurance}`;
  return `The server has a problem. ${reassurance}`;
}

/* Acting ----------------------------------------------------------------- */

function startNewDrawing() {
  // Before the ink is gone: a sheet not yet kept is kept now.
  pad.finish();
  keeper.newSheet();
  pad.clear();
  byId("pad").focus({ preventScroll: true });
}

function tryAgain() {
  live.failures = 0;
  if (live.problem !== null) read({ isSettled: true });
  keeper.retryNow();
}

async function giveFeedback({ detail: { id, ...given } }) {
  try {
    await reader.giveFeedback(id, given);
    feedback.thank(id, given);
    showState();
  } catch (error) {
    feedback.fail(id, wordsFor(error, "Please answer again."));
  }
}

function onStrokeStart() {
  keeper.hold();
  showState();
}

function onInkChange({ detail }) {
  if (detail.isLive) {
    readLive();
    return;
  }
  keeper.inkChanged(pad.strokes.toDrawing());
  read({ isSettled: true });
  showState();
}

function onKey(event) {
  const isUndoKey = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (event.altKey || event.isComposing) return;
  if (isUndoKey && key === "z" && !event.shiftKey) pad.undo();
  else if (isUndoKey && (key === "y" || key === "z")) pad.redo();
  else if (isUndoKey || event.repeat) return;
  else if (key === "escape" && pad.strokes.canClear) startNewDrawing();
  else if (key === "enter" && !event.target.closest("a, button")) keep();
  else return;
  event.preventDefault();
}

function keep() {
  pad.finish();
  keeper.keepNow();
}

byId("pad").addEventListener("strokestart", onStrokeStart);
byId("pad").addEventListener("change", onInkChange);
keeper.addEventListener("update", showState);
byId("feedback").addEventListener("feedback", giveFeedback);
buttons.undo.addEventListener("click", () => pad.undo());
buttons.redo.addEventListener("click", () => pad.redo());
buttons.keep.addEventListener("click", keep);
buttons.clear.addEventListener("click", startNewDrawing);
buttons.retry.addEventListener("click", tryAgain);
addEventListener("keydown", onKey);
addEventListener("online", tryAgain);
addEventListener("pagehide", () => {
  pad.finish();
  keeper.leave();
});
addEventListener("pageshow", (event) => {
  if (event.persisted) keeper.comeBack();
});
// A phone may drop a hidden page without another word.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") keep();
});

const unkept = keeper.restore();
if (unkept !== null) pad.restore(unkept);
showState();
