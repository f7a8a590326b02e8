/**
 * Sends the answer to a reading without loading the page anew. The form works
 * without this as well, and takes over where the network fails here.
 */
const section = document.getElementById("feedback");
const said = document.getElementById("feedback-said");
let isSending = false;

section.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (isSending) return;
  isSending = true;
  const { target: form, submitter } = event;
  try {
    const body = new FormData(form);
    body.append(submitter.name, submitter.value);
    const fresh = await answered(form.action, body);
    form.replaceWith(fresh.querySelector("form"));
    // The same element, so that its new words are heard.
    said.textContent = fresh.querySelector("#feedback-said").textContent;
    const same = `button[name="${submitter.name}"][value="${submitter.value}"]`;
    (section.querySelector(same) ?? section.querySelector("button")).focus();
  } catch {
    form.append(asField(submitter));
    form.submit();
  } finally {
    isSending = false;
  }
});

async function answered(url, body) {
  const answer = await fetch(url, { method: "POST", body });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("feedback");
  if (!answer.ok || !fresh) throw new Error(`answered with ${answer.status}`);
  return fresh;
}

function asField({ name, value }) {
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name, value });
  return field;
}
