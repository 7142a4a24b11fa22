// Files as people read them: a card for one, a table for many. `link(file)` gets a signed address where a key is needed.

const LONG = {
  PENDING: "Accepted. Its bytes are safe and wait to be stored.",
  PROCESSING: "Being stored.",
  COMPLETE: "Stored and verified.",
  ERROR: "Failed.",
};
const SHORT = { PENDING: "waiting", PROCESSING: "being stored", COMPLETE: "stored", ERROR: "failed" };

export const words = (file) => LONG[file.status];

/** A size as the server's pages write it. */
export function bytes(size) {
  if (size === null) return "unknown";
  if (size < 1024) return size === 1 ? "1 Byte" : `${size} Bytes`;
  const power = Math.min(Math.floor(Math.log2(size) / 10), 5);
  return `${(size / 1024 ** power).toFixed(1)} ${["KiB", "MiB", "GiB", "TiB", "PiB"][power - 1]}`;
}

/** An element with these properties and children. Text stays text: no name of a file becomes HTML. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export function card(file, link) {
  const facts = { Size: bytes(file.size), Type: file.detected_type ?? file.content_type, "SHA-256": file.sha256 };
  return element(
    "section",
    { className: "card" },
    element("h2", {}, name(file, link)),
    element("p", { className: file.status.toLowerCase() }, words(file), ...reason(file)),
    element("dl", {}, ...Object.entries(facts).flatMap(([term, value]) =>
      value === null ? [] : [element("dt", {}, term), element("dd", {}, value)])),
    ...download(file, link),
  );
}

export function table(files, link) {
  const row = (file) => element(
    "tr", {},
    element("td", {}, name(file, link)),
    element("td", {}, bytes(file.size)),
    element("td", {}, SHORT[file.status]),
    element("td", {}, ...download(file, link)),
  );
  const heads = ["Name", "Size", "Status", "Link"].map((head) => element("th", { scope: "col" }, head));
  return element(
    "table", {},
    element("caption", { tabIndex: -1 }, files.length ? "Files sent so far" : "No file was sent so far"),
    element("thead", {}, element("tr", {}, ...heads)),
    element("tbody", {}, ...files.map(row)),
  );
}

/** The name, leading to the file's page where that needs no key. */
function name(file, link) {
  const text = element("bdi", {}, file.name);
  return link ? text : element("a", { href: file.links.self }, text);
}

function reason(file) {
  if (file.error === null) return [];
  return [" ", element("code", {}, file.error), file.error_detail ? ` (${file.error_detail})` : ""];
}

function download(file, link) {
  if (file.status !== "COMPLETE") return [];
  if (!link) return [element("a", { href: file.links.content, download: "" }, "Download")];
  const button = element("button", { type: "button", ariaLabel: `Get a link to ${file.name}` }, "Get a link");
  button.onclick = async () => {
    const signed = await link(file);
    if (!signed) return;
    const until = new Date(signed.expires_at).toLocaleTimeString();
    const anchor = element("a", { href: signed.url }, `Download (until ${until})`);
    button.replaceWith(anchor);
    anchor.focus();
  };
  return [button];
}
