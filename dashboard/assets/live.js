// One WebSocket feeds the page: it says what it looks at, and gets the parts that changed.
(function () {
  const edge = (window.sreEdge = window.sreEdge || {});
  const RETRY_MS = 1000;
  const SILENCE_MS = 7000;
  const GRAPHS = new Set(["graph", "architecture-graph"]);
  let socket;
  let heard = Date.now();
  let waiting = {};
  edge.names = [];
  edge.page = { view: "overview", service: "" };

  function connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    heard = Date.now();
    socket = new WebSocket(`${scheme}//${location.host}/live`);
    socket.onopen = edge.ask = ask;
    socket.onmessage = (event) => {
      heard = Date.now();
      lost(false);
      const parts = JSON.parse(event.data);
      if (parts.beat) {
        Object.assign(edge.page, parts.beat);
        if (edge.page.title) showConnection();
        return;
      }
      Object.assign(waiting, parts);
      edge.apply();
      setTimeout(() => send("drawn")); // after the browser has seen to what somebody did meanwhile
    };
    socket.onclose = () => {
      lost(true);
      setTimeout(connect, RETRY_MS);
    };
  }

  function ask() {
    send(location.pathname + location.search);
  }

  function send(text) {
    if (socket.readyState === WebSocket.OPEN) socket.send(text);
  }

  // A tab that nobody sees keeps the newest parts, and draws them when it is looked at. Graphs and
  // figures are kept until Dash has them.
  edge.apply = function () {
    if (document.hidden) return;
    const parts = waiting;
    waiting = {};
    if (parts.page) showPage(parts.page);
    for (const [name, part] of Object.entries(parts)) {
      if (name === "page") continue;
      const drawn = GRAPHS.has(name) ? edge.graph : name.startsWith("figure:") ? edge.figure : undefined;
      if (drawn && !edge.dashed) waiting[name] = part;
      else if (drawn) drawn(name.replace("figure:", ""), part);
      else if (name === "names") edge.names = part;
      else {
        const place = document.getElementById(name);
        if (!place) continue;
        place.classList.add("drawn");
        edge.patch(place, part);
      }
    }
    requestAnimationFrame(() => setTimeout(edge.load)); // when this is on the screen
  };

  function showPage(page) {
    const other = page.service !== edge.page.service;
    edge.page = page;
    document.title = page.title;
    for (const view of document.querySelectorAll("[data-view].view")) {
      view.hidden = view.dataset.view !== page.view;
    }
    const panel = document.getElementById("service");
    panel.hidden = !page.service;
    if (other && page.service) panel.scrollTop = 0;
    Object.assign(document.getElementById("app").dataset, {
      view: page.view, panel: page.service ? "open" : "closed",
    });
    for (const link of edge.views()) {
      if (link.dataset.nav === page.view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    showConnection();
  }

  function showConnection() {
    const { connected, stale, replay } = edge.page;
    const word = edge.lost || !connected ? "disconnected" : replay ? "history" : stale ? "stale" : "live";
    const pill = document.getElementById("connection");
    pill.textContent = word;
    pill.className = `pill ${word}`;
    document.getElementById("reset").disabled = word === "disconnected";
  }

  // The dashboard itself does not answer: nothing but the browser can say so. A socket that is asked
  // to close waits for the other side, which is what does not answer: so this does not wait for it.
  function lost(now) {
    if (edge.lost === now) return;
    edge.lost = now;
    document.getElementById("app").classList.toggle("lost", now);
    if (edge.page.title) showConnection();
  }

  edge.feed = function () {
    connect();
    document.addEventListener("visibilitychange", edge.apply);
    setInterval(() => {
      if (Date.now() - heard <= SILENCE_MS || socket.readyState >= WebSocket.CLOSING) return;
      lost(true);
      socket.close();
    }, 1000);
  };
})();
