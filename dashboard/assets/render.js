// Applies an update leaf by leaf: only what differs from what is shown.
(function () {
  const shown = new Map();
  const NARROW = 600;
  let painted = false;

  // Cytoscape keeps positions and zoom when the same ids come with other classes; what it must
  // not get is the same picture again, once per tick.
  function render(update, skeleton) {
    const nothing = window.dash_clientside.no_update;
    if (!update) return nothing;
    if (!painted && paint()) {
      painted = true;
      setTimeout(fit, 100); // after the first elements are there
    }
    for (const [id, property, value] of update) {
      if (id === "topology-key") {
        if (value !== skeleton) {
          window.location.reload();
          return nothing;
        }
        continue;
      }
      const key = JSON.stringify([id, property]);
      const text = JSON.stringify(value);
      if (shown.get(key) === text) continue;
      shown.set(key, text);
      if (property === "dateTime" || id === "simulated-time") {
        showTime(id, value);
      } else {
        const wanted = id === "graph" ? arranged(value) : value;
        window.dash_clientside.set_props(id, { [property]: wanted });
      }
    }
    return nothing;
  }

  // Times are shown in the viewer's zone.
  function showTime(id, iso) {
    const text = iso ? new Date(iso).toLocaleTimeString([], { hour12: false }) : "";
    window.dash_clientside.set_props(id, { children: text, dateTime: iso });
  }

  function cytoscape() {
    const element = document.getElementById("graph");
    return element && element._cyreg ? element._cyreg.cy : undefined;
  }

  function fit() {
    const cy = cytoscape();
    if (cy) cy.fit(undefined, window.innerWidth < NARROW ? 12 : 48);
    return window.dash_clientside.no_update;
  }

  // The dialog opens and closes in the browser, at once; only its confirmation asks the server.
  function askReset() {
    const { triggered } = window.dash_clientside.callback_context;
    const opens = triggered.some(({ prop_id }) => prop_id === "reset.n_clicks");
    return [opens ? "overlay" : "overlay hidden", ""];
  }

  // The canvas knows no CSS variables: it is told the colours of the scheme in use.
  function paint() {
    const cy = cytoscape();
    if (!cy) return false;
    const tokens = getComputedStyle(document.documentElement);
    const colour = (name) => tokens.getPropertyValue(name).trim();
    cy.style().selector("node").style({
      color: colour("--text"),
      "text-background-color": colour("--panel"),
      "text-background-opacity": 0.85,
      "text-background-shape": "roundrectangle",
      "text-background-padding": 2,
    });
    cy.style().selector("edge").style("color", colour("--muted"));
    cy.style().update();
    return true;
  }

  // On a phone the graph runs from top to bottom.
  function arranged(elements) {
    if (window.innerWidth >= NARROW) return elements;
    return elements.map((element) =>
      element.position
        ? { ...element, position: { x: element.position.y * 2.2, y: element.position.x * 0.75 } }
        : element
    );
  }

  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    const overlay = document.getElementById("reset-dialog");
    if (overlay && !overlay.classList.contains("hidden")) {
      document.getElementById("reset-cancel").click();
    }
  });

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    sreEdge: { render: render, fit: fit, askReset: askReset },
  });
})();
