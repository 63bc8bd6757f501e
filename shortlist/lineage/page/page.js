"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const steps = [...data.trace.steps, ...data.trace.cut_short];
  const inTrace = new Set(data.trace.steps.map((step) => step.execution_id));
  const byId = new Map(steps.map((step) => [step.execution_id, step]));
  const producer = new Map();
  for (const step of data.trace.steps) {
    for (const artifacts of Object.values(step.outputs)) for (const artifact of artifacts) producer.set(artifact.id, step.execution_id);
  }
  const stages = data.stages.map((name) => ({ name, steps: data.trace.steps.filter((step) => step.stage === name) })).filter((stage) => stage.steps.length);
  const stageOf = new Map(stages.flatMap((stage) => stage.steps.map((step) => [step.execution_id, stage])));
  const foldable = (stage) => stage.steps.length > 1;
  const folded = new Set(stages.filter(foldable).map((stage) => stage.name));
  let chosen = null;
  let query = "";

  const element = (tag, text, className) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const drawn = (tag, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const seconds = (step) => {
    const whole = Math.round(step.seconds);
    return step.seconds < 60 ? `${step.seconds.toFixed(1)} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
  };
  const duration = (step) => (step.state === "CACHED" ? `${seconds(step)}, cached` : seconds(step));
  const when = (text) => `${text.slice(0, 10)} ${text.slice(11, 19)} UTC`;
  const whose = (step) => (step.run_id ? `run ${step.run_id}` : "by hand");
  const bad = (step) => !["COMPLETE", "CACHED"].includes(step.state);

  // Returns the key of a step's box: of the step itself, or of its folded stage.
  const boxOf = (id) => {
    const stage = stageOf.get(id);
    return folded.has(stage.name) ? `stage ${stage.name}` : `step ${id}`;
  };
  const boxes = () => {
    const found = new Map();
    for (const step of data.trace.steps) {
      const key = boxOf(step.execution_id);
      if (!found.has(key)) found.set(key, { key, stage: stageOf.get(step.execution_id), steps: [], above: new Set() });
      found.get(key).steps.push(step);
    }
    for (const step of data.trace.steps) {
      const key = boxOf(step.execution_id);
      for (const ids of Object.values(step.inputs)) for (const id of ids) {
        if (!producer.has(id)) continue;
        const from = boxOf(producer.get(id));
        if (from === key) continue;
        found.get(key).above.add(from);
      }
    }
    return found;
  };

  const matches = (step) => {
    const outputs = Object.values(step.outputs).flat().map((artifact) => `${artifact.id} ${artifact.type} ${artifact.uri}`);
    return [step.node, step.stage, step.run_id, step.state, ...step.facts, ...outputs].join("\n").toLowerCase().includes(query);
  };

  const graph = document.getElementById("graph");
  const columns = document.querySelector(".columns");
  const marker = (id) => {
    const made = drawn("marker", {
      id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse",
    });
    made.append(drawn("path", { d: "M0,0.5 L8,4 L0,7.5 Z" }));
    return made;
  };
  const draw = () => {
    const narrow = columns.clientWidth < 600;
    const found = boxes();
    const titled = [...found.values()].map((box) => {
      const group = box.key.startsWith("stage ");
      const title = group ? box.stage.name : box.steps[0].node;
      return { ...box, group, title, under: group ? `+ ${box.steps.length} steps` : duration(box.steps[0]) };
    });
    // Beside the details if the graph fits there, else above them.
    columns.classList.remove("stacked");
    const roomIn = (element) => element.clientWidth - 24;
    let laid = layout.place(titled, roomIn(graph));
    if (laid.width > roomIn(graph)) {
      columns.classList.add("stacked");
      laid = layout.place(titled, roomIn(graph));
    }
    const svg = drawn("svg", {
      width: laid.width + 8, height: laid.height + 8, viewBox: `-4 -4 ${laid.width + 8} ${laid.height + 8}`,
    });
    const ends = drawn("defs", {});
    ends.append(marker("arrow"), marker("arrow-near"));
    svg.append(ends);
    const hits = new Set(query ? titled.filter((box) => box.steps.some(matches)).map((box) => box.key) : []);
    for (const arrow of laid.arrows) {
      const near = chosen === arrow.from || chosen === arrow.to;
      const dim = query && !hits.has(arrow.from) && !hits.has(arrow.to);
      svg.append(drawn("path", {
        d: arrow.path, class: `edge${near ? " near" : ""}${dim ? " dim" : ""}`,
        [arrow.up ? "marker-start" : "marker-end"]: `url(#arrow${near ? "-near" : ""})`,
      }));
    }
    // The tab order is the reading order.
    const placed = titled.map((box) => ({ ...box, place: laid.places.get(box.key) }));
    placed.sort((a, b) => a.place.y - b.place.y || a.place.x - b.place.x);
    for (const box of placed) {
      const { place } = box;
      const classes = ["box", box.group && "group", box.steps.some(bad) && "bad", chosen === box.key && "chosen", query && (hits.has(box.key) ? "hit" : "dim")];
      const drawnBox = drawn("g", {
        class: classes.filter(Boolean).join(" "), tabindex: 0, role: "button",
        transform: `translate(${place.x - place.width / 2},${place.top})`,
        "aria-pressed": chosen === box.key, "aria-label": `${box.title} ${box.under}`, "data-key": box.key,
      });
      drawnBox.append(drawn("rect", { width: place.width, height: place.height, rx: 7 }));
      const first = (place.height - place.lines.length * laid.line) / 2 + 4;
      place.lines.forEach((text, row) => {
        drawnBox.append(drawn("text", { x: place.width / 2, y: first + row * laid.line, "text-anchor": "middle" }, text));
      });
      drawnBox.append(" ", drawn("text", {
        x: place.width / 2, y: first + place.lines.length * laid.line, "text-anchor": "middle", class: "small",
      }, box.under));
      const choose = () => {
        chosen = box.key;
        draw();
        showDetails(box);
        // On a phone the details are below the graph.
        if (narrow) details.scrollIntoView({ behavior: "smooth", block: "nearest" });
      };
      drawnBox.addEventListener("click", choose);
      drawnBox.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); } });
      svg.append(drawnBox);
    }
    const focused = document.activeElement?.getAttribute?.("data-key");
    graph.replaceChildren(svg);
    if (focused) graph.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    const count = query ? steps.filter(matches).length : 0;
    document.getElementById("found").textContent = query ? `${count} of ${steps.length} steps` : "";
  };

  const details = document.getElementById("details");
  const describe = (step) => {
    const found = [element("h3", step.node)];
    found.push(element("div", `${when(step.started)}, ${seconds(step)}, ${whose(step)}, ${step.state.toLowerCase()}`, "quiet"));
    if (step.facts.length) {
      const list = element("ul");
      for (const fact of step.facts) list.append(element("li", fact));
      found.push(list);
    }
    for (const [title, artifacts] of Object.entries(step.outputs)) {
      for (const artifact of artifacts) {
        found.push(element("h4", `${title}: ${artifact.type}, artifact ${artifact.id}${artifact.deleted ? ", deleted" : ""}`));
        found.push(element("div", artifact.uri, "quiet"));
      }
    }
    return found;
  };
  const showDetails = (box) => {
    details.replaceChildren();
    if (!box) {
      details.append(element("p", "No step is selected. Click a box, or search.", "quiet"));
      return;
    }
    if (foldable(box.stage)) {
      const button = element("button", folded.has(box.stage.name) ? `Unfold ${box.stage.name}` : `Fold ${box.stage.name}`);
      button.type = "button";
      button.addEventListener("click", () => {
        if (!folded.delete(box.stage.name)) folded.add(box.stage.name);
        chosen = boxOf(box.steps[0].execution_id);
        draw();
        showDetails(boxes().get(chosen));
      });
      details.append(button);
    }
    for (const step of box.steps) details.append(...describe(step));
    const all = [...boxes().values()];
    const names = (found) => found.map((other) => (foldable(other.stage) && folded.has(other.stage.name) ? other.stage.name : other.steps[0].node)).join(", ");
    const [before, after] = [all.filter((other) => box.above.has(other.key)), all.filter((other) => other.above.has(box.key))];
    if (before.length) details.append(element("h4", "Reads from"), element("div", names(before)));
    if (after.length) details.append(element("h4", "Read by"), element("div", names(after)));
  };

  const row = (cells, tag = "td") => {
    const made = element("tr");
    for (const [text, className] of cells) {
      const cell = element(tag, text, className);
      if (tag === "th") cell.scope = "col";
      made.append(cell);
    }
    return made;
  };
  const numbers = new Set(["Seconds", "Version", "Replaced"]);
  const fill = (id, titles, rows) => {
    const table = document.getElementById(id);
    if (!table) return;
    const head = element("thead");
    head.append(row(titles.map((title) => [title, numbers.has(title) ? "number" : ""]), "th"));
    const body = element("tbody");
    body.append(...rows);
    table.replaceChildren(head, body);
  };

  // Steps are sorted from the last to the first: the last one tells how the run ended.
  const showLast = () => {
    chosen = data.trace.steps.length ? boxOf(data.trace.steps[0].execution_id) : null;
    draw();
    showDetails(chosen ? boxes().get(chosen) : null);
  };
  const all = (fold) => {
    folded.clear();
    if (fold) for (const stage of stages.filter(foldable)) folded.add(stage.name);
    showLast();
  };
  document.getElementById("fold").addEventListener("click", () => all(true));
  document.getElementById("unfold").addEventListener("click", () => all(false));
  document.getElementById("search").addEventListener("input", (event) => {
    query = event.target.value.trim().toLowerCase();
    // Stages with hits are unfolded, so that the hits are visible.
    if (query) for (const stage of stages) if (stage.steps.some(matches) && !stage.steps.every(matches)) folded.delete(stage.name);
    const hits = query ? data.trace.steps.filter(matches) : [];
    chosen = hits.length === 1 ? boxOf(hits[0].execution_id) : null;
    draw();
    listSteps();
    showDetails(chosen ? boxes().get(chosen) : null);
  });

  const listSteps = () => fill(
    "steps",
    ["Step", "Part", "State", "Started", "Seconds", "Run", "Facts"],
    steps.filter((step) => !query || matches(step)).map((step) => row([
      [step.node], [inTrace.has(step.execution_id) ? step.stage : "interrupted"], [step.state.toLowerCase()], [when(step.started)],
      [step.seconds.toFixed(1), "number"], [step.run_id || "by hand"], [step.facts.join("; "), "wide"],
    ])),
  );

  const aboutVersion = ({ trace, served }) => {
    const push = served.pushes.find((item) => item.version === trace.version);
    const now = served.version === trace.version ? "served now" : `version ${served.version ?? "none"} is served now`;
    document.getElementById("title").textContent = `${data.name}, version ${trace.version}`;
    document.getElementById("subtitle").textContent = `${push ? `Pushed ${when(push.at)} by shortlist ${push.command}; ` : ""}${now}. ${trace.path}`;
    fill(
      "served",
      ["Version", "Since", "By", "Run", "Replaced", "Why"],
      served.pushes.map((item) => row([
        [`${item.version}${item.version === served.version ? " (now)" : ""}`, "number"], [when(item.at)], [`shortlist ${item.command}`],
        [item.run_id || (item.copy_of ? `copy of ${item.copy_of}` : "")], [item.replaced ?? "", "number"],
        [[item.by, item.reason].filter(Boolean).join(": "), "wide"],
      ])),
    );
  };
  // A report shows the graph of a run, which may have pushed nothing.
  if (data.served) aboutVersion(data);
  listSteps();
  showLast();
  let before = columns.clientWidth;
  addEventListener("resize", () => {
    if (columns.clientWidth !== before) draw();
    before = columns.clientWidth;
  });
})();
