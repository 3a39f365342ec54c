// "Agree to all" ticks every mandatory box; without script each is ticked by hand.
const all = document.getElementById("all");
const each = [...document.querySelectorAll("input[name=agree]")];
all.closest("label").hidden = false;
all.addEventListener("change", () => each.forEach((box) => { box.checked = all.checked; }));
each.forEach((box) => box.addEventListener("change", () => { all.checked = each.every((b) => b.checked); }));
