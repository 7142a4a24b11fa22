// A file's page: takes up each new status by itself until the file has ended. Without it the page reloads.

const at = (id, where = document) => where.getElementById(id);

async function next() {
  const answer = await fetch(at("status").dataset.wait, { headers: { Accept: "text/html" } });
  return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

while (at("status").dataset.wait) {
  const page = await next().catch(() => null);
  if (page) {
    at("file").replaceWith(at("file", page));
    if (at("status").textContent !== at("status", page).textContent) at("status").textContent = at("status", page).textContent;
    at("status").className = at("status", page).className;
    if (!at("status", page).dataset.wait) delete at("status").dataset.wait;
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
}
