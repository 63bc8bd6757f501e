// Requests to the server, and the text of what it answers.

let token = "";

/** A request that failed, with one sentence for the reader. */
export class Failure extends Error {
  constructor(status, sentence, retryAfter) {
    super(sentence);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** Sends this token with every request from now on. It is kept until the page is closed. */
export const useToken = (text) => {
  token = text;
};

/** Returns the JSON of an answer. Paths are relative, so that the server may be below another path. */
export const ask = async (path, body, signal) => {
  // The request log leaves requests with such an id out: they are no real ones.
  const headers = { "X-Request-Id": `try-${crypto.getRandomValues(new Uint32Array(3)).join("-")}` };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method: body === undefined ? "GET" : "POST", headers, body: body && JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(0, "The server does not answer.", 3);
  }
  let content = null;
  try {
    content = await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
  }
  if (!answer.ok || content === null) {
    const sentence = content?.error || `The server answered with status ${answer.status}.`;
    throw new Failure(answer.status, sentence, Number(answer.headers.get("Retry-After")) || (answer.status === 503 ? 3 : 0));
  }
  return content;
};

// Control characters, and those that turn the direction of the text after them.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Returns text of the data with U+FFFD in place of characters that change more than their own place. */
export const printable = (text) => String(text).replace(UNSAFE, "\ufffd");

/** Returns what an item is called: its title, or else its id. */
export const label = (item) => printable(item.title && item.title.trim() ? item.title : item.id);

/** Returns a new element. Its text is never markup. */
export const element = (tag, text, className) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
};

/** Returns an element with the title of an item. Its direction does not change that of the text around it. */
export const titled = (item, className) => element("bdi", label(item), className);
