// The state of the page: a history, a known query, rules, and the answer to them.
import { Failure, ask, element, label, printable, titled, useToken } from "./api.js";
import { line } from "./answers.js";
import { heldOut, showFacts } from "./facts.js";
import { addRules, filter, ruleFields, showRules } from "./rules.js";
import { addSearch } from "./search.js";

const POLL_MS = 10000;
const WAIT_MS = 60;
const SLOW_MS = 300;
const LAST_SHOWN = 12;
const RANKS = 100;
const get = (id) => document.getElementById(id);

/** Items that were clicked, the oldest first. */
let history = [];
/** A known query, as `/v1/queries/ID` answers; null without one. */
let known = null;
let version = null;
let controller = null;
let timer = 0;
let retry = 0;

const problem = (error) => {
  if (error.name === "AbortError") return;
  if (!(error instanceof Failure)) throw error;
  get("token-form").hidden = error.status !== 401;
  get("problem").hidden = error.status === 401;
  get("problem-text").textContent = printable(error.message);
  get("answers").classList.add("stale");
  if (error.retryAfter) {
    clearTimeout(retry);
    retry = setTimeout(start, error.retryAfter * 1000);
  }
};
const solved = () => {
  clearTimeout(retry);
  get("problem").hidden = true;
  get("token-form").hidden = true;
  get("answers").classList.remove("stale");
};

/** Returns the hidden item; null if none is. */
const truth = () => (known && get("hide").checked ? known.history.at(-1) ?? null : null);
/** Returns the known query's items that the model gets: those before the hidden one. */
const knownItems = () => {
  if (!known) return [];
  return truth() ? known.history.filter((item) => item.time < truth().time) : known.history;
};

const several = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;

const drawHistory = () => {
  const before = knownItems();
  get("popular").hidden = Boolean(known) || history.length > 0 || !version?.popular.length;
  get("history").hidden = !known && !history.length;
  get("hide-row").hidden = !known?.history.length;
  const earlier = Math.max(before.length - LAST_SHOWN, 0);
  const from = known ? `${several(before.length, "item")} of user ${printable(known.query)}` : "";
  const shown = earlier ? `; the last ${LAST_SHOWN}` : "";
  get("history-hint").textContent = known
    ? `${from}${shown}, the oldest first:`
    : history.length === 1 ? "A click removes it:" : "The oldest first; a click removes an item:";
  const chips = before.slice(earlier).map((item) => {
    const made = element("li");
    const chip = element("span", undefined, "chip");
    chip.append(titled(item));
    made.append(chip);
    return made;
  });
  get("history-list").replaceChildren(...chips, ...history.map((item, position) => {
    const made = element("li");
    const chip = element("button", undefined, "chip");
    chip.type = "button";
    chip.setAttribute("aria-label", `Remove ${label(item)} from the history`);
    chip.append(titled(item), element("span", "×", "cross"));
    chip.addEventListener("click", () => {
      history.splice(position, 1);
      drawHistory();
      (get("history-list").querySelectorAll("button")[Math.min(position, history.length - 1)] ?? get("search")).focus();
      changed();
    });
    made.append(chip);
    return made;
  }));
};

const sentence = (answer, count) => {
  const after = [];
  if (known) after.push(`${several(knownItems().length, "item")} of user ${printable(known.query)}`);
  if (history.length) after.push(history.length === 1 ? label(history[0]) : several(history.length, known ? "more item" : "item"));
  const rules = Object.keys(filter()).length ? " that pass the filters" : "";
  if (!count) return rules ? "No candidate passes the filters." : "No candidate is left to recommend.";
  if (answer.fallback) return `The model has no answer here. These are the most popular items${rules}.`;
  const whom = after.length ? `after ${after.join(" and ")}` : "for somebody without a history";
  const by = version && answer.version !== version.version ? `, by version ${answer.version}` : "";
  return `${several(count, "recommendation")}${rules} ${whom}${by}.`;
};

const drawTruth = (items) => {
  const hidden = truth();
  get("truth").hidden = !hidden;
  if (!hidden) return;
  const rank = items.findIndex((item) => item.id === hidden.id) + 1;
  const first = version.metric?.k ?? 10;
  const name = element("p");
  name.append(element("strong", "Hidden: "), titled(hidden), `. ${heldOut(version)}`);
  const outcome = rank
    ? `Found at rank ${rank}${rank <= first ? `: a hit at ${first}.` : `, not among the first ${first}.`}`
    : `Not among the first ${items.length}.`;
  get("truth").replaceChildren(element("p", outcome), name);
  get("truth").classList.toggle("missed", !rank || rank > first);
};

const acts = {
  add: (item) => add(item),
  similar: (item, opener) => showSimilar(item, opener),
};

const draw = (answer, shown) => {
  const items = answer.items;
  const byId = new Map([...knownItems(), ...history].map((item) => [item.id, item]));
  const hidden = truth();
  // The focus stays where it was, if the same item is still there.
  const focused = document.activeElement?.closest("#answers li")?.dataset.id;
  const lines = items.slice(0, shown).map((item) => line(item, byId.get(item.near) ?? null, item.id === hidden?.id, acts));
  get("answers").replaceChildren(...lines);
  get("answers").hidden = !lines.length;
  get("answers-hint").hidden = !lines.length;
  get("answers-status").textContent = sentence(answer, lines.length);
  drawTruth(items);
  if (focused !== undefined) (lines.find((made) => made.dataset.id === focused)?.querySelector("button") ?? get("answers-title")).focus({ preventScroll: true });
};

/** Shows a failure, unless another version has come, which may lack what the request named: then asks that one. */
const refused = async (error) => {
  try {
    if (error.status === 400 && (await look())) {
      await update();
      return;
    }
  } catch (later) {
    problem(later);
    return;
  }
  problem(error);
};

const update = async () => {
  controller?.abort();
  controller = new AbortController();
  const { signal } = controller;
  const fields = ruleFields();
  const shown = fields.k;
  const body = { ...fields, history: history.map((item) => ({ id: item.id })) };
  if (known) body.query = known.query;
  if (truth()) {
    body.at = truth().time;
    body.k = Math.max(shown, Math.min(RANKS, version.max_k));
  }
  // A fast answer needs no sign that it is awaited.
  const wait = setTimeout(() => get("answers").classList.add("stale"), SLOW_MS);
  try {
    const answer = await ask("v1/recommend", body, signal);
    if (answer.version !== version.version) await look();
    if (signal.aborted) return;
    solved();
    draw(answer, shown);
  } catch (error) {
    await refused(error);
  } finally {
    clearTimeout(wait);
  }
};

const changed = () => {
  clearTimeout(timer);
  // A slider moves through many values.
  timer = setTimeout(version ? update : start, WAIT_MS);
};

const add = (item) => {
  history.push({ id: item.id, title: item.title });
  drawHistory();
  changed();
};

const showSimilar = async (item) => {
  const dialog = get("similar");
  get("similar-title").replaceChildren("Similar to ", titled(item));
  get("similar-status").textContent = "…";
  get("similar-list").replaceChildren();
  if (!dialog.open) dialog.showModal();
  get("similar-title").focus();
  try {
    const body = { id: item.id, k: 10 };
    if (Object.keys(filter()).length) body.filter = filter();
    const answer = await ask("v1/similar", body);
    const taken = { add: (other) => { dialog.close(); add(other); }, similar: (other) => showSimilar(other) };
    get("similar-list").replaceChildren(...answer.items.map((other) => line(other, null, false, taken)));
    get("similar-status").textContent = answer.items.length
      ? `${several(answer.items.length, "item")}${body.filter ? " that pass the filters" : ""}; the score is the cosine, 1 at most.`
      : "No candidate passes the filters.";
  } catch (error) {
    get("similar-status").textContent = printable(error.message);
  }
};

/** Looks which version is served; returns whether it is another one than before. */
const look = async () => {
  const found = await ask("v1/version");
  const before = version;
  // Drawing again would take the focus from what is drawn.
  if (JSON.stringify(found) === JSON.stringify(before)) return false;
  version = found;
  showFacts(version);
  showRules(version, changed);
  get("known-form").hidden = !version.has_histories;
  get("search-label").textContent = version.has_titles ? "Search for a title" : "Search for an id";
  get("search").placeholder = version.has_titles ? "Part of a title" : "Start of an id";
  get("popular-list").replaceChildren(...version.popular.map((item) => {
    const made = element("li");
    const chip = element("button", undefined, "chip");
    chip.type = "button";
    chip.append(titled(item));
    chip.addEventListener("click", () => {
      add(item);
      get("search").focus();
    });
    made.append(chip);
    return made;
  }));
  drawHistory();
  const isNew = before !== null && before.version !== version.version;
  if (isNew) {
    get("notice").hidden = false;
    get("notice").textContent = `Version ${version.version} has taken over from ${before.version}. The answer below is up to date.`;
  }
  return isNew;
};

const start = async () => {
  try {
    await look();
    await update();
  } catch (error) {
    problem(error);
  }
};

const poll = async () => {
  if (document.hidden || version === null || !get("problem").hidden || !get("token-form").hidden) return;
  try {
    if (await look()) await update();
  } catch (error) {
    problem(error);
  }
};

get("again").addEventListener("click", start);
get("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useToken(get("token").value);
  start();
});
get("clear").addEventListener("click", () => {
  history = [];
  known = null;
  drawHistory();
  get("search").focus();
  changed();
});
get("known-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    known = await ask(`v1/queries/${encodeURIComponent(get("known").value.trim())}`);
    history = [];
    solved();
    drawHistory();
    changed();
  } catch (error) {
    problem(error);
  }
});
get("hide").addEventListener("change", () => {
  drawHistory();
  changed();
});
get("similar-close").addEventListener("click", () => get("similar").close());
get("rules").open = matchMedia("(min-width: 861px)").matches;
addSearch(add, problem);
addRules(changed);
setInterval(poll, POLL_MS);
document.addEventListener("visibilitychange", poll);
start();
