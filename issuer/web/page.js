// What every page shares. "Agree to all" ticks every mandatory box of its form;
// without script each is ticked by hand.
for (const all of document.querySelectorAll("[data-all]")) {
  const each = [...all.form.querySelectorAll("input[name=agree]")];
  all.closest("label").hidden = false;
  all.addEventListener("change", () => each.forEach((box) => { box.checked = all.checked; }));
  each.forEach((box) => box.addEventListener("change", () => { all.checked = each.every((b) => b.checked); }));
}

// Countdowns: the server says how long is left, the phone measures how long ago.
for (const count of document.querySelectorAll(".count[data-left]")) {
  const text = count.querySelector("span");
  const tick = () => {
    const left = Math.ceil((Number(count.dataset.left) - performance.now()) / 1000);
    text.textContent = left > 0 ? Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0") : count.dataset.over;
    if (left > 0) setTimeout(tick, 250);
  };
  tick();
}

// The picture code read aloud, on this page.
document.getElementById("aloud")?.addEventListener("click", (event) => {
  event.preventDefault();
  new Audio(event.target.closest("a").href).play().catch(() => { location.href = event.target.closest("a").href; });
});

document.getElementById("problem")?.scrollIntoView({ block: "center" });

// A form is sent once, however often its button is touched; it works again when
// the page comes back.
for (const form of document.forms) {
  if (form.method !== "post") continue;
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });
