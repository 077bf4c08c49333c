// Dialogs: the browser's own, which trap the focus and close with Escape.
(function () {
  const edge = (window.sreEdge = window.sreEdge || {});
  const MAX_HITS = 12;
  const KEYS = [
    ["Ctrl+K", "go to a service or a view"],
    ["/", "find in the graph"],
    [".", "freeze this view, or back to live; the simulation goes on"],
    ["← →", "an interval back or on, in the history"],
    ["Esc", "close a dialog or the service"],
    ["?", "this help"],
  ];

  function dialog(label, ...children) {
    const element = document.createElement("dialog");
    element.setAttribute("aria-label", label);
    element.append(...children);
    element.addEventListener("close", () => element.remove());
    element.addEventListener("click", (event) => event.target === element && element.close());
    document.getElementById("dialogs").append(element);
    element.showModal();
    return element;
  }

  function make(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  edge.confirm = function (text, action) {
    return new Promise((resolve) => {
      let agreed = false;
      const yes = make("button", { className: "danger", id: "confirm" }, action.trim() || "Yes");
      const no = make("button", { className: "quiet", id: "cancel", autofocus: true }, "Cancel");
      const shown = dialog("Are you sure?", make("p", {}, text), make("div", { className: "actions" }, no, yes));
      yes.onclick = () => {
        agreed = true;
        shown.close();
      };
      no.onclick = () => shown.close();
      shown.addEventListener("close", () => resolve(agreed));
    });
  };

  edge.help = function () {
    const rows = KEYS.map(([key, does]) => make("div", {}, make("dt", {}, make("kbd", {}, key)), make("dd", {}, does)));
    const close = make("button", { className: "quiet" }, "Close");
    const shown = dialog("Keyboard", make("h2", {}, "Keyboard"), make("dl", { className: "keys" }, ...rows),
      make("div", { className: "actions" }, close));
    close.onclick = () => shown.close();
  };

  edge.quick = function () {
    if (document.querySelector("dialog[open]")) return;
    const input = make("input", { type: "search", id: "quick", placeholder: "Service or view" });
    input.setAttribute("aria-label", "Go to a service or a view");
    input.setAttribute("aria-controls", "quick-list");
    const list = make("ul", { id: "quick-list", className: "hits" });
    const shown = dialog("Go to", input, list);
    let chosen = 0;

    function hits() {
      const wanted = input.value.trim().toLowerCase();
      const views = [...edge.views()].map(({ dataset, href }) => ({ name: dataset.nav, href, kind: "view" }));
      const services = edge.names.map((name) => ({ name, kind: "service" }));
      return [...services, ...views].filter((one) => one.name.includes(wanted)).slice(0, MAX_HITS);
    }
    function open(hit) {
      shown.close();
      if (hit.href) edge.go(hit.href);
      else edge.change({ service: hit.name });
    }
    function draw() {
      const found = hits();
      chosen = Math.max(0, Math.min(chosen, found.length - 1));
      list.replaceChildren(...found.map((hit, i) => {
        const button = make("button", { className: i === chosen ? "hit on" : "hit" }, hit.name,
          make("span", { className: "muted" }, ` ${hit.kind}`));
        button.onclick = () => open(hit);
        return make("li", {}, button);
      }));
      if (!found.length) list.append(make("li", { className: "muted" }, "No service or view matches."));
    }
    input.addEventListener("input", draw);
    input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        chosen += event.key === "ArrowDown" ? 1 : -1;
        draw();
      } else if (event.key === "Enter" && hits()[chosen]) open(hits()[chosen]);
    });
    draw();
    input.focus();
  };

  edge.prepareDialogs = function () {
    document.getElementById("go-to").addEventListener("click", edge.quick);
    document.getElementById("help").addEventListener("click", edge.help);
    document.getElementById("help").setAttribute("aria-label", "Keyboard help");
  };
})();
