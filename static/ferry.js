// A form can't send a header: where a key is needed, this sends the file with it and shows the answer.

const form = document.querySelector("form");
const files = document.getElementById("files");
const answer = document.getElementById("answer");

async function ask(address, options) {
  answer.textContent = "…";
  const headers = { Authorization: `Bearer ${document.getElementById("key").value.trim()}` };
  try {
    const got = await fetch(address, { ...options, headers });
    answer.textContent = JSON.stringify(await got.json(), null, 2);
  } catch (error) {
    answer.textContent = `No answer: ${error.message}`;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const way = event.submitter.getAttribute("formaction") ?? form.action;
  ask(way, { method: "POST", body: new FormData(form) });
});

files.addEventListener("click", (event) => {
  event.preventDefault();
  ask(files.href, {});
});
