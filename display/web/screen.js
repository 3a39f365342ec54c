// Asks for one picture after the other; the server answers when there is a new
// one. A lost connection is said in words and tried again every second.
"use strict";

const picture = document.getElementById("screen");
const words = document.getElementById("words");
const lost = document.getElementById("lost");
let serial = "0";

async function next() {
  const answer = await fetch("frame?after=" + serial, { signal: AbortSignal.timeout(20000) });
  if (!answer.ok) throw new Error(answer.statusText);
  lost.hidden = true;
  if (answer.status === 204) return;
  const blob = await answer.blob();
  serial = answer.headers.get("Screen-Serial");
  const text = decodeURIComponent(answer.headers.get("Screen-Words"));
  if (text !== words.textContent) {
    words.textContent = text;
    picture.alt = text;
  }
  const old = picture.src;
  picture.src = URL.createObjectURL(blob);
  await picture.decode();
  URL.revokeObjectURL(old);
}

(async () => {
  for (;;) {
    try {
      await next();
    } catch {
      lost.hidden = false;
      await new Promise((wake) => setTimeout(wake, 1000));
    }
  }
})();
