// The last script of the page: everything but graphs, charts and actions works from here on. Those are
// Dash's, whose scripts are loaded once the first parts are shown.
(function () {
  const edge = window.sreEdge;

  function copy({ id, src, textContent }) {
    const script = document.createElement("script");
    Object.assign(script, { id, async: false });
    if (src) script.src = src;
    else script.textContent = textContent;
    return script;
  }

  edge.load = function () {
    const template = document.getElementById("dash");
    if (!template) return;
    template.remove();
    const scripts = [...template.content.children].map(copy);
    const begins = scripts.pop();
    scripts[scripts.length - 1].addEventListener("load", () => document.body.append(begins));
    document.body.append(...scripts);
  };

  // Called when Dash is there: what it draws gets its place on the page, and what waited is done.
  edge.begin = function () {
    if (edge.dashed) return;
    edge.dashed = true;
    for (const slot of document.querySelectorAll("[data-slot]")) {
      slot.append(document.getElementById(`${slot.dataset.slot}-place`));
    }
    edge.apply();
    edge.actNext();
  };

  edge.prepare();
  edge.feed();
})();
