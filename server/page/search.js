// The search for titles: a combobox with a list of candidates.
import { ask, element, label, printable, titled } from "./api.js";

const LIMIT = 12;
const WAIT_MS = 120;

/** Calls `choose` with each candidate that is chosen, and `fail` with a failure. */
export const addSearch = (choose, fail) => {
  const input = document.getElementById("search");
  const list = document.getElementById("found");
  const status = document.getElementById("search-status");
  let items = [];
  let active = -1;
  let timer = 0;
  let controller = null;

  const close = () => {
    clearTimeout(timer);
    controller?.abort();
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    active = -1;
  };
  const activate = (position) => {
    active = position;
    [...list.children].forEach((option, index) => option.setAttribute("aria-selected", String(index === active)));
    list.children[active].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", list.children[active].id);
  };
  const take = (item) => {
    input.value = "";
    items = [];
    close();
    status.textContent = `${label(item)} is in the history.`;
    choose(item);
  };
  const show = (text) => {
    list.replaceChildren(...items.map((item, index) => {
      const option = element("li");
      option.id = `found-${index}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.append(titled(item), " ", element("span", printable(item.id), "hint"));
      // A click would take the focus from the input first.
      option.addEventListener("mousedown", (event) => event.preventDefault());
      option.addEventListener("click", () => take(item));
      return option;
    }));
    active = -1;
    input.removeAttribute("aria-activedescendant");
    list.hidden = !items.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    const more = items.length === LIMIT ? "; type more for others" : "";
    status.textContent = items.length ? `${items.length} found${more}.` : `No title or id contains “${text}”.`;
  };
  const look = async () => {
    const text = input.value.trim();
    close();
    items = [];
    if (!text) {
      status.textContent = "";
      return;
    }
    controller = new AbortController();
    try {
      const answer = await ask(`v1/candidates?limit=${LIMIT}&search=${encodeURIComponent(text)}`, undefined, controller.signal);
      items = answer.candidates;
      show(printable(text));
    } catch (error) {
      if (error.name !== "AbortError") fail(error);
    }
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, WAIT_MS);
  });
  input.addEventListener("focus", () => {
    if (items.length && list.hidden) show(printable(input.value.trim()));
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", async (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) return;
      const step = event.key === "ArrowDown" ? 1 : -1;
      activate((active + step + items.length + (active < 0 && step < 0 ? 1 : 0)) % items.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      // Whoever types quickly means the first that fits.
      if (list.hidden) await look();
      if (items.length) take(items[Math.max(active, 0)]);
    } else if (event.key === "Escape") {
      close();
      status.textContent = "";
    }
  });
};
