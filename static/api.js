// Requests to Ferry: what succeeds is parsed JSON, what fails a Refusal with the problem's title and detail (RFC 9457).

export class Refusal extends Error {
  constructor(title, detail, status) {
    super(detail);
    this.title = title;
    this.status = status;
  }
}

/** Send a form with its progress: `onProgress(bytes, of)`. `signal` cancels it: an AbortError. */
export function upload(address, form, headers, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    for (const [name, value] of Object.entries({ Accept: "application/json", ...headers })) {
      request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => onProgress(event.loaded, event.total);
    request.onload = () => settle(request.status, request.responseText, resolve, reject);
    request.onerror = () => reject(noAnswer());
    request.onabort = () => reject(new DOMException("Cancelled", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

/** GET an address. */
export async function ask(address, headers) {
  let status, text;
  try {
    const answer = await fetch(address, { headers: { Accept: "application/json", ...headers } });
    [status, text] = [answer.status, await answer.text()];
  } catch {
    throw noAnswer();
  }
  return new Promise((resolve, reject) => settle(status, text, resolve, reject));
}

function settle(status, text, resolve, reject) {
  const body = parsed(text);
  if (status >= 200 && status < 300 && body) resolve(body);
  else reject(new Refusal(body?.title ?? `The server answered ${status}`, body?.detail ?? "", status));
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // A proxy's own page.
  }
}

function noAnswer() {
  return new Refusal("No answer came", "The network or the server is away, or the file can't be read any more.", 0);
}
