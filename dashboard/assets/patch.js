// Patches a tree of [tag, attributes, ...children] into what an element shows: nothing is replaced
// that can be changed, so that focus, scrolling and what somebody types stay as they are.
(function () {
  const edge = (window.sreEdge = window.sreEdge || {});
  const SVG = "http://www.w3.org/2000/svg";
  const PROPERTIES = new Set(["checked", "selected", "value", "open"]);

  function patch(parent, wanted) {
    const keyed = new Map();
    for (const child of parent.childNodes) if (child.edgeKey !== undefined) keyed.set(child.edgeKey, child);
    let here = parent.firstChild;
    for (const want of wanted) {
      if (typeof want === "string") {
        if (here && here.nodeType === Node.TEXT_NODE) {
          if (here.data !== want) here.data = want;
          here = here.nextSibling;
        } else {
          parent.insertBefore(document.createTextNode(want), here);
        }
        continue;
      }
      const [tag, attributes, ...children] = want;
      let node = attributes.key === undefined ? here : keyed.get(attributes.key);
      if (!node || node.nodeName.toLowerCase() !== tag.toLowerCase() || node.edgeKey !== attributes.key) {
        node = make(parent, tag, attributes.key);
      }
      if (node === here) here = here.nextSibling;
      else parent.insertBefore(node, here);
      const filled = attributes["data-filled"] !== undefined && node.edgeAttributes;
      dress(node, attributes);
      if (tag === "time") edge.showTime(node);
      else if (!filled) patch(node, children);
    }
    while (here) {
      const next = here.nextSibling;
      here.remove();
      here = next;
    }
  }

  function make(parent, tag, key) {
    const drawn = tag === "svg" || parent.namespaceURI === SVG;
    const node = drawn ? document.createElementNS(SVG, tag) : document.createElement(tag);
    node.edgeKey = key;
    return node;
  }

  // Compares with what was wanted before, not with what is there: what somebody typed stays.
  function dress(node, attributes) {
    const before = node.edgeAttributes || {};
    for (const name of Object.keys(before)) {
      if (name in attributes || name === "key") continue;
      node.removeAttribute(name);
      if (name === "checked" || name === "selected") node[name] = false;
    }
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "key" || before[name] === value) continue;
      if (name === "style") node.style.cssText = value;
      else node.setAttribute(name, value);
      if (!PROPERTIES.has(name) || node.namespaceURI === SVG) continue;
      if (name === "value" && document.activeElement === node) continue;
      node[name] = name === "value" ? value : true;
    }
    node.edgeAttributes = attributes;
  }

  // Times are shown in UTC, which people in all places can compare, with the date unless it is today's;
  // the viewer's own time is a hint.
  const own = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "long" });
  edge.showTime = function (node) {
    const time = new Date(node.dateTime);
    const [date, clock] = time.toISOString().slice(0, 19).split("T");
    const today = date === new Date().toISOString().slice(0, 10);
    const text = `${today && node.dataset.shape !== "full" ? "" : `${date} `}${clock} UTC`;
    if (node.textContent !== text) {
      node.textContent = text;
      node.title = own.format(time);
    }
  };

  edge.figure = function (id, figure) {
    // After the browser has laid out what else changed: Plotly measures, and would make it do so twice.
    requestAnimationFrame(() => setTimeout(() => show(id, figure)));
  };

  // Plotly is large: Dash gets the component, and so loads it, with the first figure.
  function show(id, figure) {
    if (document.getElementById(id)) {
      window.dash_clientside.set_props(id, { figure });
      return;
    }
    const props = { id, figure, config: { displayModeBar: false }, className: "charts" };
    const children = { type: "Graph", namespace: "dash_core_components", props };
    window.dash_clientside.set_props(`${id}-place`, { children });
  }

  edge.patch = patch;
})();
