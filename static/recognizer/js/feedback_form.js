/**
 * Sends feedback on a reading without reloading the page. The form also works
 * without this script.
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
    const forms = fresh.querySelectorAll("form");
    for (const [place, old] of section.querySelectorAll("form").entries()) {
      old.replaceWith(forms[place]);
    }
    // Keep this element: screen readers announce its new text.
    said.textContent = fresh.querySelector("#feedback-said").textContent;
    const same = `button[name="${submitter.name}"][value="${submitter.value}"]`;
    (section.querySelector(same) ?? section.querySelector("button")).focus();
  } catch {
    said.textContent = translate("Your answer could not be saved. Please try again.");
  } finally {
    isSending = false;
  }
});

/** Send the form; after a 403 (signed in or out elsewhere) once more with a new token. */
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
