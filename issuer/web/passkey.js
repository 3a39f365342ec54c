// Fingerprint, iris or face in place of the PIN, where the browser has passkeys.
// Buttons stay hidden elsewhere.
const bytes = (s) => Uint8Array.from(atob(s.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (b) => btoa(String.fromCharCode(...new Uint8Array(b))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

async function post(step, body) {
  const response = await fetch(`/v1/b/${brand}/passkey/${step}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, cache: "no-store", body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

const sealed = (credential, fields) => ({
  id: credential.id, rawId: text(credential.rawId), type: credential.type,
  response: Object.fromEntries(fields.filter((f) => credential.response[f]).map((f) => [f, text(credential.response[f])])),
});

async function register() {
  const { publicKey } = await post("register", {});
  publicKey.challenge = bytes(publicKey.challenge);
  publicKey.user.id = bytes(publicKey.user.id);
  for (const c of publicKey.excludeCredentials ?? []) c.id = bytes(c.id);
  const credential = await navigator.credentials.create({ publicKey });
  await post("registered", sealed(credential, ["clientDataJSON", "attestationObject"]));
  location.reload();
}

async function login() {
  const { publicKey } = await post("login", {});
  publicKey.challenge = bytes(publicKey.challenge);
  for (const c of publicKey.allowCredentials ?? []) c.id = bytes(c.id);
  const credential = await navigator.credentials.get({ publicKey });
  await post("done", sealed(credential, ["clientDataJSON", "authenticatorData", "signature", "userHandle"]));
  location.replace(`/b/${brand}`);
}

const button = document.getElementById("passkey");
const brand = button.dataset.brand;
if (globalThis.PublicKeyCredential && navigator.credentials) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await (button.dataset.do === "login" ? login() : register());
    } catch {
      document.getElementById("passkey-failed").hidden = false;
    } finally {
      button.disabled = false;
    }
  });
}
