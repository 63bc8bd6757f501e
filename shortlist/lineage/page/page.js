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
  const seconds = (step) => (step.seconds < 60 ? `${step.seconds.toFixed(1)} s` : `${Math.floor(step.seconds / 60)} min ${Math.round(step.seconds % 60)} s`);
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
      if (!found.has(key)) found.set(key, { key, stage: stageOf.get(step.execution_id), steps: [], above: new Set(), below: new Set() });
      found.get(key).steps.push(step);
    }
    for (const step of data.trace.steps) {
      const key = boxOf(step.execution_id);
      for (const ids of Object.values(step.inputs)) for (const id of ids) {
        if (!producer.has(id)) continue;
        const from = boxOf(producer.get(id));
        if (from === key) continue;
        found.get(key).above.add(from);
        found.get(from).below.add(key);
      }
    }
    return found;
  };

  const matches = (step) => {
    const outputs = Object.values(step.outputs).flat().map((artifact) => `${artifact.id} ${artifact.type} ${artifact.uri}`);
    return [step.node, step.stage, step.run_id, step.state, ...step.facts, ...outputs].join("\n").toLowerCase().includes(query);
  };

  const layersOf = (found) => {
    const depth = new Map();
    const walk = (key, path) => {
      if (depth.has(key)) return depth.get(key);
      // Folding may create a cycle; the walk stops there.
      if (path.has(key)) return -1;
      path.add(key);
      const above = [...found.get(key).above].map((other) => walk(other, path));
      path.delete(key);
      depth.set(key, 1 + Math.max(-1, ...above));
      return depth.get(key);
    };
    for (const key of found.keys()) walk(key, new Set());
    const layers = [];
    for (const [key, place] of depth) (layers[place] ||= []).push(key);
    const order = new Map(["interactions", "candidates", "queries"].map((name, place) => [name, place]));
    for (const layer of layers) layer.sort((a, b) => (order.get(found.get(a).stage.name) ?? 1) - (order.get(found.get(b).stage.name) ?? 1));
    // Each box moves under the middle of its inputs.
    for (const layer of layers.slice(1)) {
      const place = new Map(layers.flatMap((keys) => keys.map((key, index) => [key, (index + 0.5) / keys.length])));
      const middle = (key) => {
        const above = [...found.get(key).above].map((other) => place.get(other));
        return above.length ? above.reduce((sum, value) => sum + value, 0) / above.length : 0.5;
      };
      const middles = new Map(layer.map((key) => [key, middle(key)]));
      layer.sort((a, b) => middles.get(a) - middles.get(b));
    }
    return layers;
  };

  const shortened = (text, width, size) => {
    const most = Math.floor(width / size);
    return text.length > most ? `${text.slice(0, most - 1)}…` : text;
  };

  const graph = document.getElementById("graph");
  const draw = () => {
    const narrow = graph.clientWidth < 600;
    const [width, height, gap, between] = narrow ? [108, 46, 6, 30] : [176, 46, 16, 36];
    const found = boxes();
    const layers = layersOf(found);
    const across = Math.max(...layers.map((layer) => layer.length)) * (width + gap) - gap;
    const down = layers.length * (height + between) - between;
    const places = new Map();
    layers.forEach((layer, row) => {
      const start = (across - (layer.length * (width + gap) - gap)) / 2;
      layer.forEach((key, column) => places.set(key, [start + column * (width + gap), row * (height + between)]));
    });
    const svg = drawn("svg", { width: across + 8, height: down + 8, viewBox: `-4 -4 ${across + 8} ${down + 8}` });
    let edges = 0;
    const near = (a, b) => chosen === a || chosen === b;
    const hits = new Set(query ? [...found.values()].filter((box) => box.steps.some(matches)).map((box) => box.key) : []);
    for (const box of found.values()) {
      for (const other of box.above) {
        const [x1, y1] = places.get(other);
        const [x2, y2] = places.get(box.key);
        const [fromX, fromY, toX, toY] = [x1 + width / 2, y1 + height, x2 + width / 2, y2];
        const bend = (toY - fromY) / 2;
        // An edge that skips a layer goes around the boxes between.
        const aside = toY - fromY > between + 1 && Math.abs(toX - fromX) < width / 2 ? (edges++ % 2 ? 1 : -1) * width * 0.85 : 0;
        const path = `M${fromX},${fromY} C${fromX + aside},${fromY + (aside ? between : bend)} ${toX + aside},${toY - (aside ? between : bend)} ${toX},${toY}`;
        svg.append(drawn("path", { d: path, class: `edge${near(box.key, other) ? " near" : ""}${query && !hits.has(box.key) && !hits.has(other) ? " dim" : ""}` }));
      }
    }
    // The tab order is the reading order.
    const reading = (a, b) => places.get(a.key)[1] - places.get(b.key)[1] || places.get(a.key)[0] - places.get(b.key)[0];
    for (const box of [...found.values()].sort(reading)) {
      const [x, y] = places.get(box.key);
      const group = box.key.startsWith("stage ");
      const title = group ? box.stage.name : box.steps[0].node;
      const under = group ? `+ ${box.steps.length} steps` : seconds(box.steps[0]);
      const classes = ["box", group && "group", box.steps.some(bad) && "bad", chosen === box.key && "chosen", query && (hits.has(box.key) ? "hit" : "dim")];
      const drawnBox = drawn("g", {
        class: classes.filter(Boolean).join(" "), tabindex: 0, role: "button", transform: `translate(${x},${y})`,
        "aria-pressed": chosen === box.key, "data-key": box.key,
      });
      const shown = shortened(title, width - 10, 7.6);
      if (shown !== title) {
        // The full title is available on hover and for screen readers.
        drawnBox.setAttribute("aria-label", `${shown} ${under}, ${title}`);
        drawnBox.append(drawn("title", {}, title));
      }
      drawnBox.append(drawn("rect", { width, height, rx: 7 }));
      const label = drawn("text", { x: width / 2, y: 19, "text-anchor": "middle" }, shown);
      drawnBox.append(label, " ", drawn("text", { x: width / 2, y: 36, "text-anchor": "middle", class: "small" }, under));
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
        chosen = null;
        draw();
        showDetails(null);
      });
      details.append(button);
    }
    for (const step of box.steps) details.append(...describe(step));
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

  const all = (fold) => {
    folded.clear();
    if (fold) for (const stage of stages.filter(foldable)) folded.add(stage.name);
    chosen = null;
    draw();
    showDetails(null);
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
  draw();
  showDetails(null);
  let before = graph.clientWidth;
  addEventListener("resize", () => {
    if (graph.clientWidth !== before) draw();
    before = graph.clientWidth;
  });
})();
