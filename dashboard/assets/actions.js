// Asks for actions, after a confirmation where it is due, and tells what came of them.
(function () {
  const edge = (window.sreEdge = window.sreEdge || {});
  const TOAST_MS = 8000;
  const ANSWER_MS = 60000;
  const queue = [];
  let serial = 0;
  let pending;
  let previewing;

  // One at a time, as soon as Dash is there: it forgets the answer to a request once there is a newer one.
  function ask(name, values, message) {
    queue.push({ name, values, message, serial: (serial += 1) });
    next();
  }

  function next() {
    if (!edge.dashed || pending || !queue.length) return;
    pending = setTimeout(() => {
      edge.toast("The dashboard did not answer.", { wrong: true });
      settled();
    }, ANSWER_MS);
    window.dash_clientside.set_props("action", { data: queue.shift() });
  }

  function settled() {
    clearTimeout(pending);
    pending = undefined;
    next();
  }

  function valuesOf(element) {
    const found = {};
    for (const { name, value } of element.attributes) {
      if (name.startsWith("data-value-")) found[name.slice(11).replace(/-/g, "_")] = value;
    }
    return found;
  }

  function formValues(form) {
    const found = {};
    for (const [name, value] of new FormData(form)) {
      if (typeof value !== "string") continue;
      const several = form.elements[name] instanceof RadioNodeList;
      if (several) (found[name] = found[name] || []).push(value);
      else found[name] = value;
    }
    return found;
  }

  async function clicked(event) {
    const control = event.target.closest("button[data-action]");
    if (!control || control.disabled) return;
    const { action, confirm, message } = control.dataset;
    if (confirm && !(await edge.confirm(confirm, control.textContent))) return;
    ask(action, valuesOf(control), message);
  }

  function submitted(event) {
    const form = event.target.closest("form[data-action]");
    if (!form) return;
    event.preventDefault();
    const name = event.submitter?.value || form.dataset.action;
    fill(form.dataset.message, "", false);
    ask(name, formValues(form), form.dataset.message);
  }

  function changed(event) {
    const { target } = event;
    if (target.matches("select[data-action]")) ask(target.dataset.action, { value: target.value });
    if (target.dataset.load && target.files[0]) {
      target.files[0].text().then((text) => (document.getElementById(target.dataset.load).value = text));
    }
    preview(target);
  }

  function preview(target) {
    const form = target.closest("form[data-preview]");
    if (!form) return;
    clearTimeout(previewing);
    previewing = setTimeout(() => ask(form.dataset.preview, formValues(form)), 200);
  }

  function typed(event) {
    const { target } = event;
    if (target.dataset.filter) {
      const wanted = target.value.trim().toLowerCase();
      for (const option of document.querySelectorAll(`${target.dataset.filter} > label`)) {
        option.hidden = !option.textContent.toLowerCase().includes(wanted);
      }
    }
    preview(target);
  }

  function fill(id, text, wrong) {
    const place = id && document.getElementById(id);
    if (!place) return false;
    place.textContent = text;
    place.classList.toggle("error", wrong);
    return true;
  }

  edge.toast = function (text, { wrong = false, undo } = {}) {
    const toast = document.createElement("div");
    toast.className = wrong ? "toast error" : "toast";
    toast.append(text);
    if (undo) {
      const button = document.createElement("button");
      button.className = "quiet";
      button.textContent = undo.label || "Undo";
      button.onclick = () => {
        toast.remove();
        ask(undo.name, undo.values);
      };
      toast.append(button);
    }
    document.getElementById("toasts").append(toast);
    setTimeout(() => toast.remove(), TOAST_MS);
  };

  function download({ name, text }) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/yaml" }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  // Called by Dash with each answer, and once without any when the page is there.
  function answered(answer) {
    edge.begin();
    if (answer) {
      const { asked, toast, error, undo, fill: texts, download: file } = answer;
      if (error && !fill(asked.message, error, true)) edge.toast(error, { wrong: true });
      for (const [id, text] of Object.entries(texts || {})) fill(id, text, false);
      if (toast) edge.toast(toast, { undo });
      if (file) download(file);
      settled();
    }
    return window.dash_clientside.no_update;
  }

  edge.actNext = next;
  edge.prepareActions = function () {
    document.addEventListener("click", clicked);
    document.addEventListener("submit", submitted);
    document.addEventListener("change", changed);
    document.addEventListener("input", typed);
    edge.prepareDialogs();
  };
  window.dash_clientside = Object.assign({}, window.dash_clientside, { sreEdge: { answered } });
})();
