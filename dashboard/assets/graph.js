// Draws nodes and edges with Cytoscape. A tick changes labels and classes of what differs; positions
// change only when something else is drawn.
(function () {
  const edge = (window.sreEdge = window.sreEdge || {});
  const NARROW = 600;
  const graphs = new Map();

  function cytoscape(id) {
    const element = document.getElementById(id);
    return element && element._cyreg ? element._cyreg.cy : undefined;
  }

  function graphOf(id) {
    const cy = cytoscape(id);
    if (!cy) return undefined;
    const known = graphs.get(id);
    if (known && known.cy === cy) return known;
    const graph = { cy, key: "", touched: false, shown: new Map() };
    graphs.set(id, graph);
    cy.on("tap", "node", (event) => {
      const { id: name, group } = event.target.data();
      if (group) edge.change({ group });
      else if (!name.startsWith("part:")) edge.change({ service: name });
    });
    cy.on("mouseover", "node", () => (cy.container().style.cursor = "pointer"));
    cy.on("mouseout", "node", () => (cy.container().style.cursor = ""));
    cy.on("dragpan scrollzoom pinchzoom", () => (graph.touched = true));
    new ResizeObserver(() => {
      cy.resize();
      if (!graph.touched) fit(graph);
    }).observe(cy.container());
    paint(cy);
    return graph;
  }

  edge.graph = function (id, drawing, tries = 100) {
    const graph = graphOf(id);
    if (!graph) {
      if (tries) setTimeout(() => edge.graph(id, drawing, tries - 1), 30);
      return;
    }
    const { cy, shown } = graph;
    const elements = [...drawing.nodes, ...drawing.edges];
    const wanted = new Set(elements.map((one) => one.id));
    cy.batch(() => {
      for (const name of [...shown.keys()]) {
        if (wanted.has(name)) continue;
        cy.getElementById(name).remove();
        shown.delete(name);
      }
      for (const one of elements) update(cy, shown, one);
    });
    if (graph.key !== drawing.key) {
      graph.key = drawing.key;
      arrange(graph, drawing);
    }
  };

  function update(cy, shown, one) {
    const text = JSON.stringify(one);
    if (shown.get(one.id) === text) return;
    const { x, y, classes, ...data } = one;
    const there = shown.has(one.id) && cy.getElementById(one.id);
    shown.set(one.id, text);
    if (there && there.length) {
      there.data(data);
      there.classes(classes);
    } else {
      cy.add({ data, classes, ...(x === undefined ? {} : { position: place(x, y) }) });
    }
  }

  // On a phone the graph runs from top to bottom.
  const place = (x, y) => (window.innerWidth < NARROW ? { x: y * 1.9, y: x * 0.8 } : { x, y });

  function arrange(graph, drawing) {
    const { cy } = graph;
    graph.touched = false;
    if (drawing.layout === "levels") {
      const places = new Map(drawing.nodes.map((one) => [one.id, place(one.x, one.y)]));
      cy.nodes().positions((node) => places.get(node.id()));
    } else {
      cy.layout({ name: drawing.layout, animate: false, directed: true, spacingFactor: 1.3, fit: false,
        nodeDimensionsIncludeLabels: true, randomize: false, numIter: 600 }).run();
    }
    fit(graph);
  }

  function fit({ cy }) {
    if (!cy.nodes().length || !cy.container().clientWidth) return;
    cy.fit(undefined, window.innerWidth < NARROW ? 12 : 32);
    if (cy.zoom() > 1.25) {
      cy.zoom(1.25);
      cy.center();
    }
  }

  edge.fit = function (id) {
    const graph = graphs.get(id);
    if (!graph) return;
    graph.touched = false;
    fit(graph);
  };

  // The canvas knows no CSS variables: it is told the colours of the scheme in use.
  function paint(cy) {
    const probe = document.createElement("span");
    document.body.append(probe);
    const colour = (name) => {
      probe.style.color = `var(${name})`;
      return getComputedStyle(probe).color;
    };
    cy.style().selector("node").style({
      color: colour("--text"),
      "text-background-color": colour("--sunk"),
      "text-background-opacity": 0.85,
      "text-background-shape": "roundrectangle",
      "text-background-padding": 2,
    }).selector("edge").style({
      color: colour("--muted"),
      "text-background-color": colour("--sunk"),
      "text-background-opacity": 0.8,
    }).update();
    probe.remove();
  }
  edge.paint = () => graphs.forEach(({ cy }) => paint(cy));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", edge.paint);
})();
