/**
 * Sends the answer to a reading without loading the page anew. The form works
 * without this as well.
 */
import { translate } from "./messages.js";

const section = document.getElementById("feedback");
const said = document.getElementById("feedback-said");
let isSending = false;

section.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (isSending) return;
  isSending = true;
  const { target: form, submitter } = event;
  try {
    const fresh = await answered(form, submitter);
    form.replaceWith(fresh.querySelector("form"));
    // The same element, so that its new words are heard.
    said.textContent = fresh.querySelector("#feedback-said").textContent;
    const same = `button[name="${submitter.name}"][value="${submitter.value}"]`;
    (section.querySelector(same) ?? section.querySelector("button")).focus();
  } catch {
    said.textContent = translate("Your answer could not be saved. Please try again.");
  } finally {
    isSending = false;
  }
});

/** Send it; after signing in or out elsewhere once more, with the page's new token. */
async function answered(form, submitter) {
  const body = new FormData(form);
  body.append(submitter.name, submitter.value);
  let answer = await fetch(form.action, { method: "POST", body });
  if (answer.status === 403) {
    const here = await pageOf(await fetch(location.href));
    body.set("csrfmiddlewaretoken", here.querySelector("[name=csrfmiddlewaretoken]").value);
    answer = await fetch(form.action, { method: "POST", body });
  }
  const fresh = (await pageOf(answer)).getElementById("feedback");
  if (!answer.ok || !fresh) throw new Error(`answered with ${answer.status}`);
  return fresh;
}

async function pageOf(answer) {
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}
