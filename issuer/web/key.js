// The phone's own key: ECDSA P-256, made by the browser and never given out,
// kept in IndexedDB. Browsers offer it over https (and on the machine itself)
// only; elsewhere there is none and a PIN takes its place.
const store = "keys";

export const able = Boolean(globalThis.crypto?.subtle && globalThis.indexedDB);

function db() {
  return new Promise((resolve, reject) => {
    const ask = indexedDB.open("munjigi", 1);
    ask.onupgradeneeded = () => ask.result.createObjectStore(store);
    ask.onsuccess = () => resolve(ask.result);
    ask.onerror = () => reject(ask.error);
  });
}

async function transact(mode, f) {
  const d = await db();
  try {
    return await new Promise((resolve, reject) => {
      const t = d.transaction(store, mode);
      const ask = f(t.objectStore(store));
      t.oncomplete = () => resolve(ask.result);
      t.onerror = t.onabort = () => reject(t.error);
    });
  } finally {
    d.close();
  }
}

export const load = (brand) => transact("readonly", (s) => s.get(brand));

const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

export async function sign(pair, use, brand, nonce) {
  const message = new TextEncoder().encode(`munjigi ${use}\n${brand}\n${nonce}`);
  return text(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, message));
}

// make replaces the brand's key and returns the public one (PKIX DER, base64url).
export async function make(brand) {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
  await transact("readwrite", (s) => s.put(pair, brand));
  return { pair, key: text(await crypto.subtle.exportKey("spki", pair.publicKey)) };
}
