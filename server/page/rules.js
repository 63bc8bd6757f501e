// The rules of a request: filters by attribute, diversity, and the number of recommendations.
import { element, printable } from "./api.js";

const SIZES = [10, 20, 50, 100];
const DAY = 86400;
const diversity = document.getElementById("diversity");
const output = document.getElementById("diversity-value");
const size = document.getElementById("k");
const filters = document.getElementById("filters");
const title = (name) => printable(name).replaceAll("_", " ");

/** The attributes that are shown, each with `rule()`, which returns its rule or null, and `clear()`. */
let shown = [];
let signature = "";

const option = (value, text) => {
  const made = element("option", text);
  made.value = value;
  return made;
};

const category = (attribute, changed) => {
  const group = element("fieldset", undefined, "field");
  group.append(element("legend", title(attribute.name)));
  const pair = element("div", undefined, "pair");
  const chips = element("ul", undefined, "chips");
  chips.setAttribute("aria-label", `Rules for ${title(attribute.name)}`);
  const chosen = { any: [], none: [] };
  const words = { any: "Only", none: "Never" };
  const draw = () => {
    chips.hidden = !chosen.any.length && !chosen.none.length;
    chips.replaceChildren(...["any", "none"].flatMap((kind) => chosen[kind].map((value) => {
      const chip = element("button", `${words[kind].toLowerCase()} ${printable(value)}`, "chip");
      chip.type = "button";
      chip.setAttribute("aria-label", `Remove the rule: ${words[kind].toLowerCase()} ${printable(value)}`);
      chip.append(element("span", "×", "cross"));
      chip.addEventListener("click", () => {
        chosen[kind] = chosen[kind].filter((other) => other !== value);
        draw();
        selects[kind].focus();
        changed();
      });
      const item = element("li");
      item.append(chip);
      return item;
    })));
  };
  const selects = {};
  for (const kind of ["any", "none"]) {
    const box = element("div");
    const select = element("select");
    select.id = `filter-${kind}-${attribute.name}`;
    const text = element("label", words[kind]);
    text.htmlFor = select.id;
    select.setAttribute("aria-label", `${words[kind]} ${title(attribute.name)}`);
    select.append(option("", "choose…"));
    attribute.values.forEach((found, index) => select.append(option(String(index), `${printable(found.value)} (${found.count.toLocaleString("en")})`)));
    select.addEventListener("change", () => {
      if (select.value === "") return;
      const value = attribute.values[Number(select.value)].value;
      select.value = "";
      chosen.any = chosen.any.filter((other) => other !== value);
      chosen.none = chosen.none.filter((other) => other !== value);
      chosen[kind].push(value);
      draw();
      changed();
    });
    selects[kind] = select;
    box.append(text, select);
    pair.append(box);
  }
  group.append(pair);
  if (attribute.num_values > attribute.values.length) {
    const all = attribute.num_values.toLocaleString("en");
    group.append(element("p", `The ${attribute.values.length} most frequent of ${all} values.`, "hint"));
  }
  group.append(chips);
  draw();
  return {
    group,
    rule: () => (chosen.any.length || chosen.none.length ? { any: chosen.any, none: chosen.none } : null),
    clear: () => {
      chosen.any = [];
      chosen.none = [];
      draw();
    },
  };
};

const day = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);

const number = (attribute, changed) => {
  const group = element("fieldset", undefined, "field");
  group.append(element("legend", title(attribute.name)));
  const pair = element("div", undefined, "pair");
  const inputs = {};
  for (const [kind, text] of [["min", "From"], ["max", "To"]]) {
    const box = element("div");
    const input = element("input");
    input.id = `filter-${kind}-${attribute.name}`;
    input.type = attribute.kind === "time" ? "date" : "number";
    if (attribute.kind === "number") {
      input.step = "any";
      if (attribute[kind] !== null) input.placeholder = String(attribute[kind]);
    } else if (attribute.min !== null) {
      input.min = day(attribute.min);
      input.max = day(attribute.max);
    }
    const caption = element("label", text);
    caption.htmlFor = input.id;
    input.setAttribute("aria-label", `${title(attribute.name)} ${text.toLowerCase()}`);
    input.addEventListener("input", changed);
    inputs[kind] = input;
    box.append(caption, input);
    pair.append(box);
  }
  group.append(pair);
  const value = (kind) => {
    const found = attribute.kind === "time" ? inputs[kind].valueAsDate : inputs[kind].valueAsNumber;
    if (found === null || Number.isNaN(found)) return null;
    // The last day is part of the range.
    return attribute.kind === "time" ? found.getTime() / 1000 + (kind === "max" ? DAY - 1 : 0) : found;
  };
  return {
    group,
    rule: () => {
      const rule = {};
      for (const kind of ["min", "max"]) if (value(kind) !== null) rule[kind] = value(kind);
      return Object.keys(rule).length ? rule : null;
    },
    clear: () => Object.values(inputs).forEach((input) => { input.value = ""; }),
  };
};

/** Shows the attributes of a version. What was chosen stays if another version has the same ones. */
export const showRules = (version, changed) => {
  const wanted = JSON.stringify([version.attributes, version.max_k]);
  if (wanted === signature) return;
  signature = wanted;
  shown = version.attributes
    .filter((attribute) => attribute.kind !== "category" || attribute.values.length)
    .map((attribute) => ({ name: attribute.name, ...(attribute.kind === "category" ? category : number)(attribute, changed) }));
  filters.replaceChildren(...shown.map((attribute) => attribute.group));
  const before = size.value;
  const sizes = SIZES.filter((number) => number <= version.max_k);
  if (!sizes.length) sizes.push(version.max_k);
  size.replaceChildren(...sizes.map((number) => option(String(number), String(number))));
  if (sizes.includes(Number(before))) size.value = before;
};

/** Calls `changed` when a rule that every version has is changed. */
export const addRules = (changed) => {
  diversity.addEventListener("input", () => {
    output.value = diversity.value;
    changed();
  });
  size.addEventListener("change", changed);
  document.getElementById("clear-rules").addEventListener("click", () => {
    diversity.value = "0";
    output.value = "0";
    shown.forEach((attribute) => attribute.clear());
    changed();
  });
};

/** Returns the filter of a request. */
export const filter = () => {
  const found = {};
  for (const attribute of shown) if (attribute.rule()) found[attribute.name] = attribute.rule();
  return found;
};

/** Returns the fields of a request for the rules; none for rules without an effect. */
export const ruleFields = () => {
  const fields = { k: Number(size.value) };
  if (Object.keys(filter()).length) fields.filter = filter();
  if (Number(diversity.value)) fields.diversity = Number(diversity.value);
  return fields;
};
