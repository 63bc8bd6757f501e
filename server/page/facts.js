// The facts of the served version, in the page's head.
import { element, printable } from "./api.js";

const fact = (strong, rest) => {
  const made = element("span");
  made.append(element("strong", strong), ` ${rest}`);
  return made;
};

const percent = (value) => `${(value * 100).toFixed(1)}%`;

/** Shows a version, as `/v1/version` describes it. */
export const showFacts = (version) => {
  document.title = `${printable(version.name)}: try the model`;
  document.getElementById("name").textContent = printable(version.name);
  const found = [fact(`Version ${version.version}`, `pushed ${version.pushed_at.slice(0, 16).replace("T", " ")} UTC`)];
  found.push(fact(version.candidates.toLocaleString("en"), version.candidates === 1 ? "candidate" : "candidates"));
  if (version.metric) {
    const { name, k, value, most_popular: popular, rows } = version.metric;
    const beside = popular === null ? "" : `; most popular: ${percent(popular)}`;
    const held = rows ? `${rows.toLocaleString("en")} held-out items` : "held-out items";
    found.push(fact(`${name} ${value.toFixed(3)}`, `(${percent(value)} of ${held} are in the first ${k}${beside})`));
  }
  if (version.report) {
    const link = element("a", "Report of the run");
    link.href = version.report;
    found.push(link);
  }
  document.getElementById("facts").replaceChildren(...found);
};

/** Returns whether training left the last item of a query out, as a sentence. */
export const heldOut = (version) => {
  if (version.refit) return "The pushed model was trained again with it.";
  if (version.split === "leave_last_out") return "Training left the last item of every user out.";
  return "";
};
