// The pages that stand for the PASS and mOTP apps.
const waiting = document.getElementById("waiting");
if (waiting) {
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const response = await fetch("/app/pass/waiting", { cache: "no-store" });
      const { waiting: n } = await response.json();
      if (n > Number(waiting.dataset.waiting)) location.replace("/app/pass");
    } catch { /* the next time, then */ }
  }, 2000);
}

const otp = document.getElementById("otp");
if (otp) {
  const code = otp.querySelector("strong");
  const count = document.getElementById("otp-left");
  const soon = document.getElementById("soon");
  const said = document.getElementById("said");
  let end = performance.now() + Number(otp.dataset.left);
  let asking = false;
  const tick = async () => {
    const left = Math.ceil((end - performance.now()) / 1000);
    count.textContent = Math.max(0, left) + "초";
    soon.hidden = left > 10;
    if (left > 0 || asking) return;
    asking = true;
    try {
      const response = await fetch("/app/motp/code", { cache: "no-store" });
      if (response.status === 403) return location.replace("/app/motp");
      const next = await response.json();
      code.textContent = next.code;
      end = performance.now() + next.left;
    } catch { end = performance.now() + 2000; code.textContent = "······"; } finally { asking = false; }
  };
  setInterval(tick, 250);
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  otp.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch { // plain http: the old way
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    said.textContent = otp.dataset.copied;
    said.className = "note";
  });
}
