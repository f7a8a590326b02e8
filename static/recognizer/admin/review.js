// The review desk. It loads some drawings in advance, so that no key waits for the
// network, and sends each decision while the reviewer looks at the next drawing.

import { inDecimals, inPercent, translate } from "../js/messages.js";
import { pathOf, Replay } from "../js/replay.js";

const desk = document.querySelector("#desk");
const find = (selector) => desk.querySelector(selector);
const REPLAY_MS = 900; // length of every replay
const LOW = 5; // more are claimed when fewer drawings are ready
const RECENT = 10;
const SWIPE_PX = 70;

let ready = []; // drawings; the first one is shown
let recent = []; // this reviewer's last decisions, newest first, also of earlier visits
const unkept = new Set(); // ids whose decision is being sent
let sending = Promise.resolve(); // sends one after the other, in the order of the keys
let isClaiming = false;
let done = 0;
let startedAt = 0;
let replaying = 0;

async function post(address, fields) {
  const body = new URLSearchParams(fields);
  const headers = { "X-CSRFToken": find("[name=csrfmiddlewaretoken]").value };
  const answer = await fetch(desk.dataset[address], { method: "POST", body, headers });
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const refusal = new Error(content.message ?? translate("The site refused this. Reload the page."));
    refusal.isFinal = answer.status < 500;
    throw refusal;
  }
  return content;
}

// --- the queue -----------------------------------------------------------------

async function claim() {
  if (isClaiming || ready.length >= LOW) return;
  isClaiming = true;
  let drawings = [];
  try {
    // Drawings whose decision is still being sent must not come back either.
    const have = [...ready.map((drawing) => drawing.id), ...unkept];
    const fields = have.map((id) => ["have", id]);
    if (find("#trainable")?.checked) fields.push(["trainable", "1"]);
    ({ drawings } = await post("claim", fields));
    const wasEmpty = !ready.length;
    ready.push(...drawings);
    if (wasEmpty) show();
  } catch (error) {
    say(error.message);
  } finally {
    isClaiming = false;
  }
  if (drawings.length) claim(); // a fast reviewer may have used them all by now
}

function send(address, drawing, fields, onDone) {
  unkept.add(drawing.id);
  sending = sending.then(async () => {
    try {
      await post(address, { id: drawing.id, ...fields });
      onDone?.();
    } catch (error) {
      say(error.message);
      if (!error.isFinal) {
        ready.unshift(drawing); // not stored: the reviewer decides again
        show();
      }
    } finally {
      unkept.delete(drawing.id);
      claim(); // this drawing may have counted against the desk's limit
    }
  });
}

function goOn() {
  const drawing = ready.shift();
  closeReasons();
  show();
  return drawing;
}

function decide(fields) {
  if (!ready.length) return;
  startedAt ||= performance.now();
  say("");
  const drawing = goOn();
  send("decide", drawing, fields, () => {
    const label = fields.digit ?? fields.number ?? find(`[data-rejected="${fields.rejected}"]`).dataset.name;
    remember([{ id: drawing.id, label, picture: drawing.picture }, ...recent]);
    done += 1;
    find("#done").textContent = done;
    const seconds = (performance.now() - startedAt) / 1000 / done;
    if (done > 4) find("#pace").textContent = translate(" (%(seconds)s s each)", { seconds: inDecimals(seconds, 1) });
  });
  claim();
}

async function comment(event) {
  event.preventDefault();
  const [drawing, field] = [ready[0], find("#comment")];
  const button = find("#comment-form button");
  if (!drawing || button.disabled) return;
  button.disabled = true; // so that nothing is stored twice
  try {
    const stored = await post("comment", { id: drawing.id, text: field.value });
    drawing.comments = stored.drawing.comments;
    field.value = "";
    say(translate("The comment has been added."));
    showComments();
  } catch (error) {
    say(error.message);
  } finally {
    button.disabled = false;
  }
}

function openComments() {
  find(".desk-comments").open = true;
  find("#comment").focus();
}

function skip() {
  if (!ready.length) return;
  send("skip", goOn(), {});
  claim();
}

function undo(id = recent[0]?.id) {
  if (!desk.dataset.undo) {
    return say(
      translate("A second opinion cannot be undone. If it differs, the drawing is back in the queue."),
    );
  }
  sending = sending.then(async () => {
    if (!id) return say(translate("There is nothing to undo."));
    try {
      const { drawing } = await post("undo", { id });
      remember(recent.filter((one) => one.id !== id));
      ready.unshift(drawing);
      done = Math.max(0, done - 1);
      find("#done").textContent = done;
      say(translate("Undone. Label this drawing again."));
      show();
    } catch (error) {
      say(error.message);
    }
  });
}

function remember(decisions) {
  recent = decisions.slice(0, RECENT);
  find("#recent")?.replaceChildren(
    ...recent.map(({ id, label, picture }) => {
      const image = new Image(64, 64);
      image.src = picture;
      image.alt = "";
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.undone = id;
      button.title = translate("%(label)s: undo", { label });
      button.setAttribute("aria-label", button.title);
      button.append(image, label);
      return button;
    }),
  );
}

async function loadRecent() {
  if (!desk.dataset.recent) return;
  const answer = await fetch(desk.dataset.recent);
  if (answer.ok) remember((await answer.json()).decisions);
}

async function unskip() {
  try {
    await post("unskip", {});
    say("");
    claim();
  } catch (error) {
    say(error.message);
  }
}

// --- what is shown ---------------------------------------------------------------

function say(text) {
  find("#message").textContent = text;
}

function show() {
  cancelAnimationFrame(replaying);
  const drawing = ready[0];
  const place = find("#drawing");
  desk.dataset.shown = drawing?.id ?? "";
  place.replaceChildren();
  find("#reading").textContent = drawing?.reading ?? "";
  find("#feedback").textContent = drawing ? feedback(drawing) : translate("There is nothing left to review.");
  find("#digitness").textContent = drawing ? inPercent(drawing.digitness, 1) : "";
  find("#probabilities").querySelectorAll("progress").forEach((bar, digit) => {
    bar.value = drawing?.probabilities[digit] ?? 0;
  });
  desk.querySelectorAll("[data-digit]").forEach((button) => {
    button.classList.toggle("is-likely", Number(button.dataset.digit) === drawing?.likeliest);
  });
  find("#number").value = drawing?.number ?? "";
  showComments();
  if (!drawing) return;
  find("#details").href = drawing.details;
  if (drawing.strokes) {
    place.append(paths(drawing));
  } else {
    const image = new Image();
    image.src = drawing.picture;
    image.alt = translate("the picture");
    place.append(image);
  }
}

function showComments() {
  const comments = ready[0]?.comments ?? [];
  find("#comment-count").textContent = comments.length;
  find("#comments").replaceChildren(
    ...comments.map(({ author, at, text }) => {
      const [item, name, time, words] = ["li", "strong", "span", "p"].map((tag) => document.createElement(tag));
      name.textContent = author;
      time.textContent = ` ${at}`;
      words.textContent = text;
      item.append(name, time, words);
      return item;
    }),
  );
}

function feedback(drawing) {
  if (drawing.verdict === "wrong") return translate("The author says it is %(digit)s.", { digit: drawing.corrected });
  if (drawing.verdict === "not_a_digit") return translate("The author says it is not a digit.");
  if (drawing.verdict === "right") return translate("The author confirmed the reading.");
  return translate("The author has not answered.");
}

function paths({ strokes, frame, pen_width: penWidth }) {
  const svg = element("svg", { viewBox: frame.join(" ") });
  const group = element("g", {
    fill: "none",
    stroke: "#000",
    "stroke-width": penWidth,
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
  });
  for (const stroke of strokes) group.append(element("path", { d: pathOf(stroke) }));
  svg.append(group);
  return svg;
}

function element(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function replay() {
  const drawing = ready[0];
  if (!drawing?.strokes) return;
  cancelAnimationFrame(replaying);
  const drawn = find("#drawing").querySelectorAll("path");
  const course = new Replay(drawing.strokes, drawing.frame[2]);
  let began;
  const step = (now) => {
    began ??= now;
    const share = Math.min(1, (now - began) / REPLAY_MS);
    course.inkAt(share * course.duration).forEach((ink, i) => drawn[i].setAttribute("d", pathOf(ink)));
    if (share < 1) replaying = requestAnimationFrame(step);
  };
  replaying = requestAnimationFrame(step);
}

function toggleReasons(isOpen) {
  find("#reasons").hidden = !isOpen;
  find("[data-act=reject]").setAttribute("aria-expanded", isOpen);
}

const openReasons = () => toggleReasons(true);
const closeReasons = () => toggleReasons(false);

// --- keys and buttons --------------------------------------------------------------

function number(event) {
  event.preventDefault();
  const field = find("#number");
  field.blur(); // keys label the next drawing again
  decide({ number: field.value });
}

/** Confirm the number that was read, or else the likeliest digit. */
function confirm() {
  if (!ready.length) return;
  const { number, reading, likeliest } = ready[0];
  decide(number && number === reading ? { number } : { digit: String(likeliest) });
}

const acts = { reject: openReasons, number: () => find("#number").select(), comment: openComments, close: closeReasons, skip, undo: () => undo(), unskip, replay };
const keys = { x: "reject", n: "number", c: "comment", s: "skip", u: "undo", p: "replay", Escape: "close" };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key === "Escape" && event.target.matches("#comment, #number")) event.target.blur();
  if (event.target.matches("input:not([type=checkbox]), textarea, select")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const reason = find("#reasons").hidden ? null : find(`#reasons [data-key="${CSS.escape(key)}"]`);
  if (reason) decide({ rejected: reason.dataset.rejected });
  else if (/^[0-9]$/.test(key)) decide({ digit: key });
  else if (Object.hasOwn(keys, key)) acts[keys[key]]();
  else return;
  event.preventDefault();
});

desk.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  const { digit, rejected, act, undone } = button.dataset;
  if (digit) decide({ digit });
  else if (undone) undo(undone);
  else if (rejected) decide({ rejected });
  else acts[act]?.();
});

find("#drawing").addEventListener("pointerenter", replay);
find("#comment-form").addEventListener("submit", comment);
find("#number-form").addEventListener("submit", number);

// A finger swipes to the right to confirm the reading, to the left to skip.
let swipedFrom = null;
find("#drawing").addEventListener("pointerdown", (event) => {
  if (event.pointerType === "touch") swipedFrom = event;
});
find("#drawing").addEventListener("pointerup", (event) => {
  const across = swipedFrom ? event.clientX - swipedFrom.clientX : 0;
  swipedFrom = null;
  if (across > SWIPE_PX) confirm();
  else if (across < -SWIPE_PX) skip();
});
find("#drawing").addEventListener("pointercancel", () => {
  swipedFrom = null;
});

find("#trainable")?.addEventListener("change", () => {
  ready = ready.slice(0, 1);
  claim();
});

show();
claim();
loadRecent();
