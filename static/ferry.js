// The page: sends the chosen file with its progress and shows what became of it. Without it the form works by itself.

import { ask, Refusal, upload } from "./api.js";
import { bytes, card, element, table, words } from "./show.js";

const at = (id) => document.getElementById(id);
const form = document.querySelector("form");
const buttons = form.querySelector("fieldset");
const input = at("file");
const token = at("key"); // null where no key is needed
const most = Number(form.dataset.maxBytes);

let sending = null; // the AbortController of the upload on its way
let choice = { file: null, keys: {} };

/** The Idempotency-Key of this file and this way: sent twice, after a network error say, it makes one file. */
function keyOf(file, way) {
  if (choice.file !== file) choice = { file, keys: {} };
  // randomUUID is missing on plain HTTP.
  return (choice.keys[way] ??= Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(""));
}

const headers = () => (token ? { Authorization: `Bearer ${token.value.trim()}` } : {});

/** sessionStorage: gone with the tab, never sent by itself. A browser may forbid it. */
function remember(value) {
  try {
    if (value) sessionStorage.setItem("ferry-key", value);
    else sessionStorage.removeItem("ferry-key");
  } catch {
    // The key then lives as long as the page.
  }
}

function remembered() {
  try {
    return sessionStorage.getItem("ferry-key") ?? "";
  } catch {
    return "";
  }
}

function fail(error) {
  if (error.status === 401) remember("");
  at("status").textContent = "";
  at("failure").replaceChildren(
    element("p", {}, element("strong", {}, `${error.title ?? "This page failed"}.`), ` ${error.message === error.title ? "" : error.message}`),
  );
}

function say(text) {
  at("failure").replaceChildren();
  at("status").textContent = text;
}

/** The signed address of a file, which needs no key. */
async function sign(file) {
  try {
    return await ask(`${file.links.self}/link`, headers());
  } catch (error) {
    fail(error);
    return null;
  }
}

const link = token ? sign : null;

function show(file) {
  const shown = card(file, link);
  at("result").replaceChildren(shown);
  say(`${file.name}: ${words(file)}`);
  return shown;
}

/** Show the file, and again whenever its status changes, until it has ended or another one is shown. */
async function follow(file) {
  let shown = show(file);
  while (!["COMPLETE", "ERROR"].includes(file.status)) {
    let next = null;
    try {
      next = await ask(`${file.links.self}?wait=30`, headers());
    } catch (error) {
      if (error.status >= 400 && error.status < 500 && error.status !== 429) return; // A key that may only upload.
    }
    if (at("result").firstChild !== shown) return;
    if (next && next.status !== file.status) shown = show((file = next));
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

function lock(controller) {
  sending = controller;
  buttons.disabled = input.disabled = Boolean(controller);
  at("sending").hidden = !controller;
  if (!controller) return;
  progress(0, 0);
  at("cancel").focus();
}

function progress(sent, of) {
  const percent = of ? Math.floor((sent * 100) / of) : 0;
  at("progress").value = percent;
  at("amount").textContent = of && sent === of
    ? `All ${bytes(of)} are sent. Waiting for the answer.`
    : `${percent} %, ${bytes(sent)} of ${bytes(of)}`;
}

function refused(file) {
  if (!file || file.size <= most) return false;
  fail(new Refusal("The file is too large", `${file.name} has ${bytes(file.size)}. At most ${bytes(most)} are accepted.`, 0));
  return true;
}

async function send(way) {
  const file = input.files[0];
  if (sending || !file || refused(file)) return;
  const body = new FormData();
  body.append("file", file);
  const controller = new AbortController();
  lock(controller);
  say(`Sending ${file.name}.`);
  try {
    const made = await upload(way, body, { ...headers(), "Idempotency-Key": keyOf(file, way) }, { onProgress: progress, signal: controller.signal });
    if (token) remember(token.value.trim());
    input.value = "";
    follow(made);
  } catch (error) {
    if (error.name === "AbortError") say("Cancelled.");
    else fail(error.status === 0 ? new Refusal(error.title, `${error.message} Send it again: it makes no second file.`, 0) : error);
  } finally {
    lock(null);
  }
}

async function list() {
  try {
    const page = await ask(at("files").href, headers());
    if (token) remember(token.value.trim());
    say("");
    at("list").replaceChildren(table(page.files, link));
    at("list").querySelector("caption").focus();
  } catch (error) {
    fail(error);
  }
}

function drop(event) {
  if (sending) return;
  const [item] = event.dataTransfer.items;
  if (item.webkitGetAsEntry?.()?.isDirectory) {
    return fail(new Refusal("A folder can't be sent here", "Drop one file, or use the command ferry.", 0));
  }
  const files = new DataTransfer();
  files.items.add(event.dataTransfer.files[0]);
  input.files = files.files;
  const more = event.dataTransfer.files.length > 1 ? " It is the first of several: this page sends one at a time." : "";
  if (!refused(input.files[0])) say(`${input.files[0].name} is chosen.${more}`);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  send(event.submitter?.formAction ?? form.action);
});
input.addEventListener("change", () => {
  at("failure").replaceChildren();
  refused(input.files[0]);
});
at("cancel").addEventListener("click", () => sending?.abort());
at("files").addEventListener("click", (event) => {
  event.preventDefault();
  if (!token || token.reportValidity()) list();
});
for (const name of ["dragover", "dragleave", "drop"]) {
  addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.toggle("over", name === "dragover");
    if (name === "drop") drop(event);
  });
}
addEventListener("beforeunload", (event) => sending && event.preventDefault());

for (const hidden of document.querySelectorAll(".script")) hidden.hidden = false;
if (token) token.value = remembered();
buttons.disabled = false;
