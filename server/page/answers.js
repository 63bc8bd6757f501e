// Lists of candidates with what the model says about them.
import { element, label, printable, titled } from "./api.js";

const button = (text, name, act) => {
  const made = element("button", text);
  made.type = "button";
  made.setAttribute("aria-label", `${text}: ${name}`);
  made.addEventListener("click", () => act(made));
  return made;
};

/**
 * Returns the line of one candidate.
 *
 * @param item id, title, score and perhaps near, of an answer.
 * @param nearItem The item of the history that `near` names; null without one.
 * @param isTarget Whether it is the hidden item.
 * @param acts `add` and `similar`, which get the item.
 */
export const line = (item, nearItem, isTarget, acts) => {
  const made = element("li", undefined, isTarget ? "target" : undefined);
  made.dataset.id = item.id;
  const text = element("div");
  text.append(titled(item, "title"));
  if (isTarget) text.append(" ", element("span", "— the hidden item", "mark"));
  if (item.promoted) text.append(" ", element("span", "— promoted", "mark"));
  const why = element("p", undefined, "why hint");
  if (item.score !== null) why.append(`score\u00a0${item.score.toFixed(2)}`);
  if (nearItem) why.append(item.score === null ? "near " : " · near ", titled(nearItem));
  if (item.title && item.title.trim()) why.append(why.textContent ? " · " : "", `id\u00a0${printable(item.id)}`);
  text.append(why);
  const actions = element("div", undefined, "actions");
  actions.append(
    button("Add", label(item), () => acts.add(item)),
    button("Similar", label(item), (opener) => acts.similar(item, opener)),
  );
  made.append(text, actions);
  return made;
};
