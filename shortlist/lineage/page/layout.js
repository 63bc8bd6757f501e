"use strict";
// Places of boxes and paths of arrows. dagre makes the layers; this file only draws between them.
const layout = (() => {
  const LINE = 16;
  const PADDING = 10;
  const LONGEST_LINE = 14;
  const HEAD = 9;
  const ink = document.createElement("canvas").getContext("2d");
  const widthOf = (text, font) => {
    ink.font = font;
    return ink.measureText(text).width;
  };

  // Returns the lines of a step's name, which may break before a capital letter: "Interactions", "Statistics".
  const linesOf = (name) => {
    const words = name.match(/[A-Z]+(?![a-z])|[A-Z]?[^A-Z]+|[A-Z]/g) ?? [name];
    const lines = [words[0]];
    for (const word of words.slice(1)) {
      if (lines[lines.length - 1].length + word.length <= LONGEST_LINE) lines[lines.length - 1] += word;
      else lines.push(word);
    }
    return lines;
  };

  // Returns an arrow's path. It runs straight down beside the boxes of a layer, and bends only between two layers.
  const pathOf = ([first, ...others]) => {
    let path = `M${first.x},${first.top} V${first.bottom}`;
    let [x, y] = [first.x, first.bottom];
    for (const point of others) {
      const middle = (y + point.top) / 2;
      path += ` C${x},${middle} ${point.x},${middle} ${point.x},${point.top} V${point.bottom}`;
      [x, y] = [point.x, point.bottom];
    }
    return path;
  };

  // Returns size, boxes and arrows of a graph.
  //   boxes: [{ key, title, under, above }], `above` the keys of its inputs.
  //   room: width of the card in pixels; a narrower graph is spread over it.
  const place = (boxes, room) => {
    const texts = boxes.map((box) => linesOf(box.title));
    const height = Math.max(...texts.map((lines) => lines.length + 1)) * LINE + PADDING;
    const graph = new dagre.graphlib.Graph();
    graph.setGraph({ rankdir: "TB", nodesep: room < 600 ? 8 : 14, edgesep: 10, ranksep: 46 });
    graph.setDefaultEdgeLabel(() => ({}));
    boxes.forEach((box, number) => {
      const widest = Math.max(
        ...texts[number].map((line) => widthOf(line, "600 13px system-ui, sans-serif")),
        widthOf(box.under, "12px system-ui, sans-serif"),
      );
      graph.setNode(box.key, { width: Math.ceil(widest) + 2 * PADDING, height, lines: texts[number] });
    });
    for (const box of boxes) for (const other of box.above) graph.setEdge(other, box.key);
    dagre.layout(graph);
    // dagre's own width leaves out arrows that go around the outermost boxes.
    const xs = graph.edges().flatMap((edge) => graph.edge(edge).points.map(({ x }) => x));
    const left = Math.min(0, ...xs) - 2;
    const width = Math.max(graph.graph().width, ...xs) + 2 - left;
    // A layer's boxes move apart until the graph is as wide as its card.
    const spread = Math.max(1, Math.min(room / width, 2.5));
    const places = new Map(graph.nodes().map((key) => {
      const node = graph.node(key);
      return [key, { ...node, x: (node.x - left) * spread, top: node.y - height / 2, bottom: node.y + height / 2 }];
    }));
    const layers = new Set([...places.values()].map((node) => node.y));
    // The points of an arrow between its two boxes, from the upper box to the lower one. Folding may close a circle;
    // then an arrow points up.
    const arrows = graph.edges().map(({ v: from, w: to }) => {
      const up = places.get(from).y > places.get(to).y;
      // dagre also has points between two layers, which would make each bend half as high.
      const points = graph.edge(from, to).points.slice(1, -1).filter(({ y }) => layers.has(y));
      for (const point of points) Object.assign(point, { x: (point.x - left) * spread, top: point.y - height / 2, bottom: point.y + height / 2 });
      const [upper, lower] = up ? [to, from] : [from, to];
      return { from, to, up, upper, lower, points: up ? points.reverse() : points };
    });
    // Arrows leave and reach a box side by side, in the order of their next points.
    for (const [end, next] of [["upper", 0], ["lower", -1]]) {
      for (const [key, box] of places) {
        const own = arrows.filter((arrow) => arrow[end] === key);
        const goal = (arrow) => (arrow.points.at(next) ?? places.get(end === "upper" ? arrow.lower : arrow.upper)).x;
        own.sort((a, b) => goal(a) - goal(b)).forEach((arrow, number) => {
          const x = box.x + ((number + 1) / (own.length + 1) - 0.5) * box.width;
          // The straight end gives the head its direction.
          const top = end === "upper" ? box.bottom : box.top - HEAD;
          arrow[`${end}End`] = { x, top, bottom: top + HEAD };
        });
      }
    }
    for (const arrow of arrows) arrow.path = pathOf([arrow.upperEnd, ...arrow.points, arrow.lowerEnd]);
    return { width: width * spread, height: graph.graph().height, places, arrows, line: LINE };
  };
  return { place };
})();
