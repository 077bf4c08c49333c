// The address is all the state that a page has: links, filters, keys and replay change it.
(function () {
  const edge = (window.sreEdge = window.sreEdge || {});
  const PLAY_MS = 700;
  let typing;
  let playing;

  edge.go = function (href, replace = false) {
    history[replace ? "replaceState" : "pushState"](null, "", href);
    // Who leaves the past leaves it for good, even if the next step of a replay is due before the answer.
    if (!new URLSearchParams(location.search).has("at")) play(false);
    visited();
  };

  function visited() {
    keep();
    edge.ask();
  }

  // Links to the views keep what is selected, from the moment on that it is.
  function keep() {
    const query = new URLSearchParams(location.search);
    const service = location.pathname.split("/services/")[1];
    if (service) query.set("service", decodeURIComponent(service));
    for (const link of edge.views()) link.search = query;
  }
  edge.views = () => document.querySelectorAll("[data-nav]");

  // Changes values of the query; an empty one is left out.
  edge.change = function (values, replace = false) {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(values)) {
      if (value) query.set(name, value);
      else query.delete(name);
    }
    const text = query.toString();
    let path = location.pathname;
    if (values.service && path.startsWith("/services/")) {
      query.delete("service");
      path = `/services/${encodeURIComponent(values.service)}`;
      return edge.go(path + (query.toString() ? `?${query}` : ""), replace);
    }
    return edge.go(text ? `${path}?${text}` : path, replace);
  };

  function step(seconds) {
    const at = new Date(new Date(edge.page.at).getTime() + seconds * 1000);
    if (edge.page.latest && at > new Date(edge.page.latest)) {
      play(false);
      edge.change({ at: "" }, true);
    } else {
      edge.change({ at: at.toISOString() }, true);
    }
  }

  function play(on) {
    clearInterval(playing);
    playing = on ? setInterval(() => (edge.page.replay ? step(2) : play(false)), PLAY_MS) : undefined;
    const button = document.getElementById("play");
    if (button) button.classList.toggle("on", on);
  }

  function closePanel() {
    const close = document.getElementById("close-panel");
    if (close && edge.page.service) edge.go(close.getAttribute("href"));
  }

  const THEMES = ["light dark", "light", "dark"];
  const NAMES = { "light dark": "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };
  function theme(turn) {
    let scheme = localStorage.getItem("scheme") || THEMES[0];
    if (turn) scheme = THEMES[(THEMES.indexOf(scheme) + 1) % THEMES.length];
    localStorage.setItem("scheme", scheme);
    document.documentElement.style.colorScheme = scheme;
    const button = document.getElementById("theme");
    if (button) {
      button.title = NAMES[scheme];
      button.setAttribute("aria-label", NAMES[scheme]);
      button.textContent = { "light dark": "◐", light: "☀", dark: "☾" }[scheme];
    }
    edge.paint();
  }
  document.documentElement.style.colorScheme = localStorage.getItem("scheme") || THEMES[0];

  function clicked(event) {
    const target = event.target.closest("a[href], [data-step], [data-play], #fit, #theme");
    if (!target || event.defaultPrevented || event.button) return;
    if (target.id === "fit") edge.fit("graph");
    else if (target.id === "theme") theme(true);
    else if (target.dataset.step) step(Number(target.dataset.step));
    else if (target.dataset.play !== undefined) play(!playing);
    else if (target.getAttribute("href").startsWith("/") && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      edge.go(target.getAttribute("href"));
    }
  }

  function queried(event) {
    const { query } = event.target.dataset || {};
    if (!query) return;
    const { type, checked, value } = event.target;
    if (type === "search" && event.type === "input") {
      clearTimeout(typing);
      typing = setTimeout(() => edge.change({ [query]: value }, true), 200);
    } else if (type !== "search" && event.type === "change") {
      edge.change({ [query]: type === "checkbox" && !checked ? "" : value });
    }
  }

  function pressed(event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      edge.quick();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // A dialog that has just closed keeps the focus until the browser draws again.
    if (event.target.closest("input, textarea, select, dialog")?.checkVisibility()) return;
    if (event.key === "Escape") closePanel();
    else if (event.key === "?") edge.help();
    else if (event.key === "/") {
      event.preventDefault();
      document.getElementById("find")?.focus();
    } else if (event.key === ".") {
      edge.change({ at: edge.page.replay ? "" : new Date(edge.page.at).toISOString() });
    } else if (edge.page.replay && event.key === "ArrowLeft") step(-2);
    else if (edge.page.replay && event.key === "ArrowRight") step(2);
  }

  edge.prepare = function () {
    document.addEventListener("click", clicked);
    document.addEventListener("input", queried);
    document.addEventListener("change", queried);
    document.addEventListener("keydown", pressed);
    window.addEventListener("popstate", visited);
    keep();
    theme(false);
    edge.prepareActions();
  };
})();
